/** The rules of the house that a program can see, as functions of file texts: each finding is one line for a person. */
import { posix } from 'node:path'

export interface SourceFile {
  /** Path from the project's folder, with forward slashes. */
  path: string
  text: string
}

/** Rooms from the innermost out. A room may import from those before its own step, never from one beside it. */
export const steps: string[][] = [
  ['contract'],
  ['core', 'client'],
  ['providers'],
  ['runtime'],
  ['durable'],
  ['queue', 'cron', 'dashboard'],
  ['http'],
  ['worker', 'cli'],
]

/** `src/core/planning/plan.ts` is in `core`, `src/worker.ts` is `worker`; null outside of src. */
export function roomOf(path: string): string | null {
  const match = /^src\/([^/]+)/.exec(path)
  return match?.[1]?.replace(/\.ts$/, '') ?? null
}

/** Relative imports of a file, as paths from the project's folder; types count too, for knowledge is an arrow as well. */
export function importsOf({ path, text }: SourceFile): string[] {
  const pattern = /(?:\bfrom|\bimport|\bimport\s*\()\s*(['"])(\.{1,2}\/[^'"]*)\1/g
  return [...withoutComments(text).matchAll(pattern)].map((match) => posix.join(posix.dirname(path), match[2] ?? ''))
}

/** Arrows that point back, and rooms that have no place yet. */
export function backwardArrows(files: SourceFile[]): string[] {
  const stepOf = (room: string): number => steps.findIndex((rooms) => rooms.includes(room))
  return files.flatMap((file) => {
    const room = roomOf(file.path)
    if (room === null) return []
    if (stepOf(room) < 0) return [`${file.path}: the room ${room} has no place in the order of rooms`]
    return importsOf(file).flatMap((target) => {
      const other = roomOf(target)
      if (other === null) return [`${file.path} imports ${target}, which is outside of src`]
      if (other === room || stepOf(other) < 0) return []
      return stepOf(other) < stepOf(room) ? [] : [`${file.path} imports ${target}: ${room} must not know ${other}`]
    })
  })
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

/** The door takes fetch as an argument and so may call what bears that name. */
const door = 'src/providers/transport/send.ts'

/** A method of that name in a class or an object, not a call. */
const fetchMethod = /^\s*(?:(?:async|override|static)\s+)*fetch\s*\([^)]*\)\s*(?::[^{]+)?\{/

/** Where shells are given clock, die and network; the client is one, in a caller's own process. */
const shells = new Set<string | null>(['runtime', 'client'])

/** Clock, die and network outside of src/runtime, where the shells are given theirs. */
export function strayPowers(files: SourceFile[]): string[] {
  return files
    .filter(({ path }) => roomOf(path) !== null && !shells.has(roomOf(path)))
    .flatMap(({ path, text }) =>
      withoutComments(text)
        .split('\n')
        .flatMap((line, index) =>
          powers
            .filter(([, pattern]) =>
              pattern.test(path === door ? line.replaceAll(/(?<!\.)\bfetch\(/g, 'given(') : line),
            )
            .filter(([name]) => name !== 'fetch' || !fetchMethod.test(line))
            .map(([name]) => `${path}:${index + 1} uses ${name}`),
        ),
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
