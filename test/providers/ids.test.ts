import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { cards, dialects } from '../../src/providers/registry.ts'

const ROOT = join(import.meta.dirname, '../..')

interface SourceFile {
  path: string
  text: string
}

const PROVIDERS = new Set(cards.map(({ id }) => id))
const DIALECTS = new Set(dialects.map(({ id }) => id))

/** String literals of a file that are no import, and the names of members, each with its line. */
function literals({ text }: SourceFile): { value: string; line: number }[] {
  const pattern =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|\bfrom\s+'[^'\n]*'|(['"`])((?:\\.|(?!\1)[^\\])*)\1|(?<![\w.$])([\w-]+)(?=\s*:)/g
  return [...text.matchAll(pattern)].flatMap(({ index, 2: quoted, 3: member }) => {
    const value = quoted ?? member
    return value === undefined ? [] : [{ value, line: text.slice(0, index).split('\n').length }]
  })
}

function named(files: readonly SourceFile[], ids: ReadonlySet<string>, mayName: (path: string, id: string) => boolean) {
  return files.flatMap((file) =>
    literals(file)
      .filter(({ value }) => ids.has(value) && !mayName(file.path, value))
      .map(({ value, line }) => `${file.path}:${line} names ${value}`),
  )
}

/** The folder of a dialect: the one that says `id: '…'`. */
function folderOf(files: readonly SourceFile[], id: string): string {
  const home = files.find(
    ({ path, text }) => path.startsWith('src/providers/dialects/') && text.includes(`id: '${id}'`),
  )
  return home === undefined ? '' : home.path.slice(0, home.path.lastIndexOf('/') + 1)
}

/** Dialect ids outside of the dialect's own folder and of the registry. */
function strayDialects(files: readonly SourceFile[]): string[] {
  const homes = new Map([...DIALECTS].map((id) => [id, folderOf(files, id)]))
  return named(files, DIALECTS, (path, id) => {
    const home = homes.get(id) ?? ''
    // A provider may have the name of its wire format: `openai-chat` is both.
    const isCard = PROVIDERS.has(id) && path.startsWith('src/providers/cards/')
    return path === 'src/providers/registry.ts' || isCard || (home !== '' && path.startsWith(home))
  })
}

/** Provider ids outside of the cards. */
function strayProviders(files: readonly SourceFile[]): string[] {
  return named(files, PROVIDERS, (path, id) => {
    const isDialect = DIALECTS.has(id) && path.startsWith(folderOf(files, id) || 'none')
    return path.startsWith('src/providers/cards/') || isDialect
  })
}

const sources = globSync('src/**/*.ts', { cwd: ROOT }).map((path) => ({
  path: path.replaceAll('\\', '/'),
  text: readFileSync(join(ROOT, path), 'utf8'),
}))

it('only cards name a provider', () => {
  expect(sources.length).toBeGreaterThan(100)
  expect(strayProviders(sources)).toEqual([])
})

it('only its own folder and the registry name a dialect', () => {
  expect(strayDialects(sources)).toEqual([])
})

const chat = { path: 'src/providers/dialects/openai/chat.ts', text: "id: 'openai-chat'" }

it.each([
  ['a set of providers', { path: 'src/calls/x.ts', text: "const SLOW = new Set(['mistral'])" }],
  ['a table of providers', { path: 'src/runtime/x.ts', text: 'const PATHS = { vertex: 1 }' }],
  ['a comparison with a provider', { path: 'src/http/x.ts', text: 'if (card.id === "openai") return' }],
])('a provider named elsewhere is found: %s', (_, file) => {
  expect(strayProviders([chat, file])).toHaveLength(1)
})

it.each([
  ['a card', { path: 'src/providers/cards/mistral.ts', text: "id: 'mistral'" }],
  ['a comment', { path: 'src/calls/x.ts', text: "// As 'mistral' does.\nconst a = 1" }],
  ['an example in a sentence', { path: 'src/contract/x.ts', text: "'For `vertex`, an access token.'" }],
  ['the import of a package', { path: 'src/providers/transport/x.ts', text: "import OpenAI from 'openai'" }],
])('a provider may be named in: %s', (_, file) => {
  expect(strayProviders([chat, file])).toEqual([])
})

it.each([
  ['a table of formats', { path: 'src/providers/lint/x.ts', text: "const A = { 'gemini-content': 1 }" }],
  ['another dialect', { path: 'src/providers/dialects/shared/x.ts', text: "if (kind === 'openai-chat') return" }],
])('a dialect named elsewhere is found: %s', (_, file) => {
  expect(strayDialects([chat, file])).toHaveLength(1)
})

it.each([
  ['its own folder', { path: 'src/providers/dialects/openai/chat-turn.ts', text: "const KIND = 'openai-chat'" }],
  ['a path of import', { path: 'src/cli/x.ts', text: "import { a } from '../dialects/gemini-content/dialect.ts'" }],
])('a dialect may be named in: %s', (_, file) => {
  expect(strayDialects([chat, file])).toEqual([])
})
