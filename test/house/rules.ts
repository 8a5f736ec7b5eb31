/** The rules of the house that a program can see, as functions of file texts: each finding is one line for a person. */
import { posix } from 'node:path'
import { buildings } from './rooms.ts'

export interface SourceFile {
  /** Path from the project's folder, with forward slashes. */
  path: string
  text: string
}

/** Relative imports of a file, as paths from the project's folder; types count too, for knowledge is an arrow as well. */
export function importsOf(file: SourceFile): string[] {
  return statementsOf(file).map(({ target }) => target)
}

/** Relative imports and exports, and whether they carry types alone. */
function statementsOf({ path, text }: SourceFile): { target: string; types: boolean }[] {
  const pattern = /(?:\b(import|export)\s+(type\s)?(?:[^'"`;]*?\sfrom\s*)?|\bimport\s*\(\s*)(['"])(\.{1,2}\/[^'"]*)\3/g
  return [...withoutComments(text).matchAll(pattern)].map((match) => ({
    target: posix.join(posix.dirname(path), match[4] ?? ''),
    types: match[2] !== undefined,
  }))
}

/** Name of the room of a building that a path lies in: a folder, or a file of the building itself. Null: outside of it. */
export function roomOf(path: string, building = 'src'): string | null {
  if (!path.startsWith(`${building}/`)) return null
  return (
    path
      .slice(building.length + 1)
      .split('/')[0]
      ?.replace(/\.ts$/, '') ?? null
  )
}

/** Imports of a room of the same step or a later one, rooms that have no place yet, and imports from outside of src. */
export function backwardArrows(files: SourceFile[]): string[] {
  return buildings.flatMap(({ path: building, steps }) => {
    const stepOf = (room: string): number => steps.findIndex((rooms) => rooms.some(({ name }) => name === room))
    return files.flatMap((file) => {
      const room = roomOf(file.path, building)
      if (room === null) return []
      if (stepOf(room) < 0) return [`${file.path}: ${building}/${room} has no place in test/house/rooms.ts`]
      return importsOf(file).flatMap((target) => {
        if (!target.startsWith('src/')) return building === 'src' ? [`${file.path} imports ${target}`] : []
        const other = roomOf(target, building)
        if (other === null || other === room || stepOf(other) < 0) return []
        return stepOf(other) < stepOf(room) ? [] : [`${file.path} imports ${target}: ${room} must not know ${other}`]
      })
    })
  })
}

/** Rooms that stand later in the order, and may still not know these. */
const STRANGERS: Record<string, string[]> = {
  cli: ['durable', 'queue', 'cron', 'dashboard', 'http'],
}

/** Imports between rooms that their order would allow and that are forbidden. */
export function strangeArrows(files: SourceFile[]): string[] {
  return files.flatMap((file) =>
    importsOf(file)
      .filter((target) => STRANGERS[roomOf(file.path) ?? '']?.includes(roomOf(target) ?? ''))
      .map((target) => `${file.path} imports ${target}`),
  )
}

/** Files of the object classes. Other rooms reach their objects through stubs, so they may import the types alone. */
const OBJECT_CLASSES = [
  'src/durable/registry/registry.ts',
  'src/durable/bot/bot.ts',
  'src/durable/directory/directory.ts',
  'src/durable/egress.ts',
]

/** Imports of `durable` from outside that are neither its records nor the type of an object class. */
export function durableDoors(files: SourceFile[]): string[] {
  return files
    .filter(({ path }) => path.startsWith('src/') && roomOf(path) !== 'durable')
    .flatMap((file) =>
      statementsOf(file)
        .filter(({ target }) => target.startsWith('src/durable/'))
        .filter(({ target }) => !target.startsWith('src/durable/registry/records/'))
        .filter(({ target, types }) => !(OBJECT_CLASSES.includes(target) && (types || file.path === 'src/worker.ts')))
        .map(({ target }) => `${file.path} imports ${target}`),
    )
}

/** Circles of files; an import of a type counts. Each circle is told once, from the file that comes first by name. */
export function circles(files: SourceFile[]): string[] {
  const known = new Set(files.map(({ path }) => path))
  const targets = new Map(
    files.map((file) => [file.path, importsOf(file).filter((target) => known.has(target))] as const),
  )
  const found: string[] = []
  const done = new Set<string>()
  const visit = (path: string, way: string[]): void => {
    const since = way.indexOf(path)
    if (since >= 0) return void found.push([...way.slice(since), path].join(' → '))
    if (done.has(path)) return
    for (const target of targets.get(path) ?? []) visit(target, [...way, path])
    done.add(path)
  }
  for (const path of [...known].toSorted()) visit(path, [])
  return found
}

/** Folders that hold files of one kind, and so as many as there are. */
const ONE_KIND = ['src/providers/cards', 'src/contract', 'src/durable/registry/tables']

const MOST_FILES = 16

/** Folders of src in which nobody finds a file by looking. */
export function crowdedFolders(files: SourceFile[]): string[] {
  const count = new Map<string, number>()
  for (const { path } of files) {
    if (path.startsWith('src/')) count.set(posix.dirname(path), (count.get(posix.dirname(path)) ?? 0) + 1)
  }
  return [...count]
    .filter(([folder, size]) => size > MOST_FILES && !ONE_KIND.includes(folder))
    .map(([folder, size]) => `${folder} holds ${size} files: more than ${MOST_FILES}`)
}

const MOST_LINES = 300

/** The shell of the one object that answers for every room of an account. */
const MOST_LINES_OF: Record<string, number> = { 'src/durable/registry/registry.ts': 350 }

/** Files of src that hold more than one idea, by their length. */
export function longFiles(files: SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.trimEnd().split('\n').length
    const most = MOST_LINES_OF[path] ?? MOST_LINES
    return path.startsWith('src/') && lines > most ? [`${path} has ${lines} lines: more than ${most}`] : []
  })
}

/** Folders of tests beside `src`: they test more than one room. */
const OWN_TEST_FOLDERS = [
  'bench',
  'clients',
  'compatibility',
  'dashboard',
  'docs',
  'e2e',
  'fixtures',
  'house',
  'lab',
  'scenarios',
  'scripts',
  'support',
]

/** Tests that do not lie where their source does. */
export function strayTests(files: SourceFile[]): string[] {
  const folders = new Set(files.filter(({ path }) => path.startsWith('src/')).flatMap(({ path }) => foldersOf(path)))
  return files
    .filter(({ path }) => /^test\/.*\.test\.ts$/.test(path))
    .filter(({ path }) => !OWN_TEST_FOLDERS.includes(path.split('/')[1] ?? ''))
    .filter(({ path }) => !folders.has(posix.dirname(path).replace(/^test\//, 'src/')))
    .map(({ path }) => `${path}: no such folder in src`)
}

const foldersOf = (path: string): string[] =>
  path.split('/').flatMap((_, index, parts) => (index === 0 ? [] : [parts.slice(0, index).join('/')]))

const LONGEST_TITLE = 90

/** Titles of tests that nobody reads to their end. */
export function longTitles(files: SourceFile[]): string[] {
  return files
    .filter(({ path }) => path.startsWith('test/') && path.endsWith('.test.ts'))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/^\s*(?:it|test|describe)(?:\.\w+)?(?:\([^\n]*?\))?\(\s*(['"`])(.+?)\1,/gm)]
        .map((match) => match[2] ?? '')
        .filter((title) => title.length > LONGEST_TITLE)
        .map((title) => `${path}: ${title}`),
    )
}

/** The pages and the packages stand on the client, and on the shapes of the contract. */
export function heavyPackages(files: SourceFile[]): string[] {
  return files
    .filter(({ path }) => /^(?:web|packages)\//.test(path))
    .flatMap((file) =>
      statementsOf(file)
        .filter(({ target }) => target.startsWith('src/') && !target.startsWith('src/client/'))
        .filter(({ target, types }) => !(types && target.startsWith('src/contract/')))
        .map(({ target }) => `${file.path} imports ${target}`),
    )
}

/** The simulator is a stranger: what it got wrong must not be what the product got wrong. */
export function labArrows(files: SourceFile[]): string[] {
  return files
    .filter(({ path }) => path.startsWith('test/lab/'))
    .flatMap((file) =>
      importsOf(file)
        .filter((target) => target.startsWith('src/'))
        .map((target) => `${file.path} imports ${target}`),
    )
}

const powers: [name: string, pattern: RegExp][] = [
  ['Date.now', /\bDate\.now\b|\bnew Date\(\s*\)/],
  ['Math.random', /\bMath\.random\b/],
  ['fetch', /(?<![.#\w])fetch\s*\(|(?<!typeof )\b(?:globalThis|self)\.fetch\b/],
]

/** Takes fetch as an argument, and so may call what bears that name. */
const GIVEN_FETCH = ['src/providers/transport/send.ts']

/** A method of that name in a class or an object, not a call. */
const fetchMethod = /^\s*(?:(?:async|override|static)\s+)*fetch\s*\([^)]*\)\s*(?::[^{]+)?\{/

/** Where each power is handed out. The client is a shell too, in the process of its caller. */
const shells: Record<string, RegExp> = {
  'Date.now': /^src\/(?:runtime|client)\//,
  'Math.random': /^src\/(?:runtime|client)\//,
  fetch: /^src\/(?:calls\/send\.ts$|client\/)/,
}

/** Clock, chance and network outside of the files that hand them out. */
export function strayPowers(files: SourceFile[]): string[] {
  return files
    .filter(({ path }) => path.startsWith('src/'))
    .flatMap(({ path, text }) =>
      withoutComments(text)
        .split('\n')
        .flatMap((line, index) =>
          powers
            .filter(([name]) => !shells[name]?.test(path))
            .filter(([, pattern]) =>
              pattern.test(GIVEN_FETCH.includes(path) ? line.replaceAll(/(?<!\.)\bfetch\(/g, 'given(') : line),
            )
            .filter(([name]) => name !== 'fetch' || !fetchMethod.test(line))
            .map(([name]) => `${path}:${index + 1} uses ${name}`),
        ),
    )
}

const SQL =
  /\b(?:SELECT\s[\s\S]*?\sFROM\s|INSERT\s+(?:OR\s+\w+\s+)?INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|(?:CREATE|DROP|ALTER)\s+(?:TABLE|INDEX)\s)/

/** SQL outside of `tables` folders, `tables.ts` files and the steps of a schema. */
export function straySql(files: SourceFile[]): string[] {
  return files
    .filter(({ path }) => path.startsWith('src/'))
    .filter(({ path }) => !/\/tables(?:\/|\.ts$)/.test(path) && path !== 'src/durable/migrate.ts')
    .filter(({ text }) => SQL.test(withoutComments(text)))
    .map(({ path }) => `${path} holds SQL`)
}

/** Ids that files of a folder declare by `id: '…'` at the top of an object, with the folder of each declaring file. */
const idsIn = (files: SourceFile[], folder: string): Map<string, string> =>
  new Map(
    files
      .filter(({ path }) => path.startsWith(folder))
      .flatMap(({ path, text }) =>
        [...withoutComments(text).matchAll(/^ {2}id: '([a-z0-9-]+)'/gm)].map(
          (match) => [match[1] ?? '', `${posix.dirname(path)}/`] as const,
        ),
      ),
  )

/** Ids that stand in src as a whole string or as the name of a member, outside of the files that may name them. */
function namingOf(files: SourceFile[], ids: string[], mayName: (path: string, id: string) => boolean): string[] {
  if (ids.length === 0) return []
  const pattern = new RegExp(`(['"])(${ids.join('|')})\\1|(?<![\\w.$-])(${ids.join('|')})(?=\\s*:)`, 'g')
  return files
    .filter(({ path }) => path.startsWith('src/'))
    .flatMap(({ path, text }) =>
      withoutComments(text)
        .split('\n')
        .filter((line) => !/\bfrom ['"]/.test(line)) // packages bear the names of vendors
        .flatMap((line) => [...line.matchAll(pattern)].map((match) => match[2] ?? match[3] ?? ''))
        .filter((id) => !mayName(path, id))
        .map((id) => `${path} names ${id}`),
    )
}

const CARDS = 'src/providers/cards/'
const DIALECTS = 'src/providers/dialects/'

/** What a provider does differently is a member of its card: no other file asks which provider it is. */
export function providerIds(files: SourceFile[]): string[] {
  const dialects = idsIn(files, DIALECTS)
  // A dialect that bears the name of a provider is held to the rule for dialects.
  const ids = [...idsIn(files, CARDS).keys()].filter((id) => !dialects.has(id))
  return namingOf(files, ids, (path) => path.startsWith(CARDS))
}

/** What a wire format does differently is a member of its dialect: no file outside of its folder asks which dialect it is. */
export function dialectIds(files: SourceFile[]): string[] {
  const [cards, homes] = [idsIn(files, CARDS), idsIn(files, DIALECTS)]
  return namingOf(
    files,
    [...homes.keys()],
    (path, id) =>
      path === 'src/providers/registry.ts' ||
      path.startsWith(homes.get(id) ?? '') ||
      (cards.has(id) && path.startsWith(CARDS)),
  )
}

const providerNames =
  /anthropic|openai|gemini|google|vertex|bedrock|azure|deepseek|claude|\bgpt\b|gpt-|groq|mistral|\bxai\b|fireworks|openrouter/i

/** Core decides for every provider alike, so it names none, not even in a comment. */
export function namedProviders(files: SourceFile[]): string[] {
  return files
    .filter(({ path }) => roomOf(path) === 'core')
    .flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => {
        const name = providerNames.exec(line)?.[0]
        return name === undefined ? [] : [`${path}:${index + 1} names ${name}`]
      }),
    )
}

/** TypeScript's `private` can be called over RPC; `#` cannot. */
export function callablePrivates(files: SourceFile[]): string[] {
  return files
    .filter(({ path }) => roomOf(path) === 'durable')
    .flatMap(({ path, text }) =>
      withoutComments(text)
        .split('\n')
        .flatMap((line, index) =>
          /(?:^|[\s(,])(?:private|protected)\s+[\w#]/.test(line)
            ? [`${path}:${index + 1} hides by keyword: ${line.trim()}`]
            : [],
        ),
    )
}

/** Comments become blanks, so that line numbers stay; strings are left alone. */
export function withoutComments(text: string): string {
  const pattern = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g
  return text.replace(pattern, (found) => (/^\/[/*]/.test(found) ? found.replace(/[^\n]/g, ' ') : found))
}
