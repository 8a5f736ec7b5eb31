import { globSync, readFileSync } from 'node:fs'
import { resolve, sep } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as rules from './rules.ts'
import { importsOf, withoutComments, type SourceFile } from './rules.ts'
import { pages, withRooms } from '../../scripts/rooms-doc.ts'

const root = resolve(import.meta.dirname, '../..')
const files: SourceFile[] = globSync('{src,test,web,packages}/**/*.ts', {
  cwd: root,
  exclude: (name) => name === 'node_modules' || name === 'dist',
}).map((path) => ({ path: path.split(sep).join('/'), text: readFileSync(resolve(root, path), 'utf8') }))

const file = (path: string, text = ''): SourceFile => ({ path, text })
const many = (count: number, folder: string): SourceFile[] =>
  Array.from({ length: count }, (_, index) => file(`${folder}/${index}.ts`))
const lines = (count: number): string => 'x\n'.repeat(count)
const card = file('src/providers/cards/acme.ts', "export const acme = {\n  id: 'acme',\n}")
const dialect = file('src/providers/dialects/acme-chat/dialect.ts', "export const acmeChat = {\n  id: 'acme-chat',\n}")

/** Each rule with files that break it once, and files that come close without breaking it. */
const examples: { rule: string; check: (files: SourceFile[]) => string[]; breach: SourceFile[]; near: SourceFile[] }[] =
  [
    {
      rule: 'an inner room does not import an outer one',
      check: rules.backwardArrows,
      breach: [file('src/core/planning/plan.ts', "import type { Card } from '../../providers/card.ts'")],
      near: [file('src/providers/card.ts', "import { price } from '../core/model/price.ts' // not '../http/app.ts'")],
    },
    {
      rule: 'rooms of one step do not import each other',
      check: rules.backwardArrows,
      breach: [file('src/cron/sweep.ts', "export { pack } from '../queue/probes.ts'")],
      near: [file('src/cron/sweep.ts', "import { Registry } from '../durable/registry/registry.ts'")],
    },
    {
      rule: 'rooms of core keep their order',
      check: rules.backwardArrows,
      breach: [file('src/core/prefix/state.ts', "import type { Decision } from '../planning/plan.ts'")],
      near: [file('src/core/planning/decide.ts', "import { isWarm } from '../prefix/state.ts'")],
    },
    {
      rule: 'rooms of the registry keep their order',
      check: rules.backwardArrows,
      breach: [file('src/durable/registry/tables/slots.ts', "import { Sweep } from '../probes/sweep.ts'")],
      near: [file('src/durable/registry/probes/sweep.ts', "import { SlotStore } from '../tables/slots.ts'")],
    },
    {
      rule: 'rooms of durable keep their order',
      check: rules.backwardArrows,
      breach: [file('src/durable/registry/queue.ts', "import { Bot } from '../bot/bot.ts'")],
      near: [file('src/durable/bot/bot.ts', "import { callId } from '../registry/records/bot-call.ts'")],
    },
    {
      rule: 'resources of http keep their order',
      check: rules.backwardArrows,
      breach: [file('src/http/gateways/routes.ts', "import { warmOne } from '../warm/warm-one.ts'")],
      near: [file('src/http/preload/routes.ts', "import { warmOne } from '../warm/warm-one.ts'")],
    },
    {
      rule: 'cards and dialects do not know the registry of both',
      check: rules.backwardArrows,
      breach: [file('src/providers/cards/acme.ts', "import { cardById } from '../registry.ts'")],
      near: [file('src/providers/registry.ts', "import { acme } from './cards/acme.ts'")],
    },
    {
      rule: 'src imports nothing from outside of src',
      check: rules.backwardArrows,
      breach: [file('src/http/app.ts', "const lab = await import('../../test/lab/index.ts')")],
      near: [file('src/http/app.ts', "import page from '../dashboard/page.html'")],
    },
    {
      rule: 'a new room needs a place in the order',
      check: rules.backwardArrows,
      breach: [file('src/helpers/text.ts')],
      near: [file('src/worker.ts', "import './http/app.ts'")],
    },
    {
      rule: 'the program does not import what runs in the Worker',
      check: rules.strangeArrows,
      breach: [file('src/cli/lint/file.ts', "import { readBody } from '../../http/server/read-body.ts'")],
      near: [file('src/cli/lint/file.ts', "import { prepareWarm } from '../../registration/prepare.ts'")],
    },
    {
      rule: 'other rooms see records of durable alone',
      check: rules.durableDoors,
      breach: [
        file('src/http/warm/follow.ts', "import type { Flight } from '../../durable/registry/warming/flight.ts'"),
      ],
      near: [file('src/http/warm/follow.ts', "import type { Job } from '../../durable/registry/records/claim.ts'")],
    },
    {
      rule: 'other rooms see an object class as a type alone',
      check: rules.durableDoors,
      breach: [file('src/http/app.ts', "import { Registry } from '../durable/registry/registry.ts'")],
      near: [
        file('src/http/app.ts', "import type { Registry } from '../durable/registry/registry.ts'"),
        file('src/worker.ts', "export { Registry } from './durable/registry/registry.ts'"),
      ],
    },
    {
      rule: 'files do not import each other in a circle, types counted',
      check: rules.circles,
      breach: [
        file('src/core/prefix/a.ts', "import { b } from './b.ts'"),
        file('src/core/prefix/b.ts', "import type { C } from './c.ts'"),
        file('src/core/prefix/c.ts', "import { a } from './a.ts'"),
      ],
      near: [
        file('src/core/prefix/a.ts', "import { b } from './b.ts'\nimport type { C } from './c.ts'"),
        file('src/core/prefix/b.ts', "import type { C } from './c.ts'"),
        file('src/core/prefix/c.ts'),
      ],
    },
    {
      rule: 'a folder holds at most sixteen files',
      check: rules.crowdedFolders,
      breach: many(17, 'src/core/prefix'),
      near: [...many(16, 'src/core/prefix'), ...many(40, 'src/providers/cards')],
    },
    {
      rule: 'a file has at most 300 lines',
      check: rules.longFiles,
      breach: [file('src/core/prefix/state.ts', lines(301))],
      near: [file('src/core/prefix/state.ts', lines(300)), file('src/durable/registry/registry.ts', lines(350))],
    },
    {
      rule: 'a test lies where its source does',
      check: rules.strayTests,
      breach: [file('src/core/model/price.ts'), file('test/core/price/price.test.ts')],
      near: [file('src/core/model/price.ts'), file('test/core/model/price.test.ts'), file('test/e2e/killed.test.ts')],
    },
    {
      rule: 'a title of a test has at most 90 characters',
      check: rules.longTitles,
      breach: [file('test/core/x.test.ts', `it('${'x'.repeat(91)}', () => {})`)],
      near: [file('test/core/x.test.ts', `it('${'x'.repeat(90)}', () => expect('${'y'.repeat(99)}').toBe(1))`)],
    },
    {
      rule: 'pages and packages import the client alone',
      check: rules.heavyPackages,
      breach: [file('web/src/main.ts', "import { usd } from '../../src/core/model/price.ts'")],
      near: [
        file(
          'web/src/main.ts',
          "import { client } from '../../src/client/index.ts'\nimport type { Warm } from '../../src/contract/warm.ts'",
        ),
      ],
    },
    {
      rule: 'pages and packages import the contract as types alone',
      check: rules.heavyPackages,
      breach: [file('packages/cli/src/main.ts', "import { warmBody } from '../../../src/contract/warm.ts'")],
      near: [file('packages/cli/src/main.ts', "import type { WarmBody } from '../../../src/contract/warm.ts'")],
    },
    {
      rule: 'the lab imports nothing from src',
      check: rules.labArrows,
      breach: [file('test/lab/json.ts', "import '../../src/core/prompt/json-text.ts'")],
      near: [file('test/lab/json.ts', "import './blocks.ts'")],
    },
    {
      rule: 'the time is asked for in src/runtime alone',
      check: rules.strayPowers,
      breach: [file('src/durable/registry/registry.ts', 'const now = Date.now()')],
      near: [file('src/runtime/clock.ts', 'const now = Date.now()')],
    },
    {
      rule: 'a date without an argument is the time too',
      check: rules.strayPowers,
      breach: [file('src/http/app.ts', 'const at = new Date().toISOString()')],
      near: [file('src/http/app.ts', 'const at = new Date(now).toISOString() // not Date.now()')],
    },
    {
      rule: 'chance comes from src/runtime alone',
      check: rules.strayPowers,
      breach: [file('src/core/planning/plan.ts', 'const random = Math.random')],
      near: [file('src/core/planning/plan.ts', 'const drawn = random()')],
    },
    {
      rule: 'the network is handed out by src/calls/send.ts alone',
      check: rules.strayPowers,
      breach: [file('src/runtime/clock.ts', '  const answer = await fetch(url)')],
      near: [
        file('src/calls/send.ts', '(input, init) => fetch(input, init)'),
        file('src/http/app.ts', '  async fetch(request: Request): Promise<Response> {\n  return options.fetch(url)'),
      ],
    },
    {
      rule: 'the transport calls the fetch that it is given',
      check: rules.strayPowers,
      breach: [file('src/providers/transport/send.ts', '  return await globalThis.fetch(url)')],
      near: [file('src/providers/transport/send.ts', '(fetch: typeof globalThis.fetch) => fetch(url)')],
    },
    {
      rule: 'SQL stands in tables alone',
      check: rules.straySql,
      breach: [file('src/durable/bot/bot.ts', "sql.all('SELECT id FROM calls')")],
      near: [
        file('src/durable/registry/tables/jobs.ts', "sql.all('SELECT id FROM jobs')"),
        file('src/durable/bot/bot.ts', "// SELECT id FROM calls\nconst why = 'select one from the list'"),
      ],
    },
    {
      rule: 'no provider has a name in core',
      check: rules.namedProviders,
      breach: [file('src/core/model/price.ts', '// as Anthropic does')],
      near: [file('src/core/model/price.ts', '// as some providers do')],
    },
    {
      rule: 'no id of a provider stands outside of the cards',
      check: rules.providerIds,
      breach: [card, file('src/providers/conversation.ts', "card.id === 'acme'")],
      near: [
        card,
        file('src/providers/conversation.ts', "card.tools === false // 'acme'"),
        file('src/http/app.ts', "'acme/1'"),
      ],
    },
    {
      rule: 'no id of a dialect stands outside of its folder and the registry',
      check: rules.dialectIds,
      breach: [dialect, file('src/providers/lint/lint.ts', "dialect.id === 'acme-chat'")],
      near: [dialect, file('src/providers/registry.ts', "const known = ['acme-chat']")],
    },
    {
      rule: 'what is private in a Durable Object is so at run time',
      check: rules.callablePrivates,
      breach: [file('src/durable/registry/registry.ts', '  private rearm(): void {}')],
      near: [file('src/durable/registry/registry.ts', '  #rearm(): void {} // a private matter')],
    },
  ]

describe('the rules of the house', () => {
  const checks = [...new Set(examples.map(({ check }) => check))]

  it('are all shown by an example', () => {
    const all = Object.entries(rules).filter(([name]) => !['importsOf', 'roomOf', 'withoutComments'].includes(name))
    expect(all.map(([name]) => name).toSorted()).toEqual(checks.map(({ name }) => name).toSorted())
  })

  it.each(checks.map((check) => ({ name: check.name, check })))('$name finds nothing in the project', ({ check }) => {
    expect(files.length).toBeGreaterThan(500)
    expect(check(files)).toEqual([])
  })

  it.each(examples)('a breach is found: $rule', ({ check, breach, near }) => {
    expect(check(breach)).toHaveLength(1)
    expect(check(near)).toEqual([])
  })
})

describe('the drawing of the rooms', () => {
  it.each(pages)('in $path is the printed one; node scripts/rooms-doc.ts writes it', ({ path, print }) => {
    const text = readFileSync(resolve(root, path), 'utf8')
    expect(text).toBe(withRooms(text, print()))
  })

  it('differs where a page was edited by hand', () => {
    const page = '<!-- rooms -->\nold\n<!-- end of rooms -->\n'
    expect(withRooms(page, 'new\n')).toBe('<!-- rooms -->\nnew\n<!-- end of rooms -->\n')
    expect(() => withRooms('no place', 'new')).toThrow('end of rooms')
  })
})

describe('reading source text', () => {
  it('finds imports of every spelling and resolves them', () => {
    const text =
      "import a from './a.ts'\nexport * from '../b/b.ts'\nimport type { C } from \"./c.ts\"\nimport '../d.ts'\nimport z from 'zod'"
    expect(importsOf({ path: 'src/core/x.ts', text })).toEqual([
      'src/core/a.ts',
      'src/b/b.ts',
      'src/core/c.ts',
      'src/d.ts',
    ])
  })

  it('blanks comments but not the two slashes of an address', () => {
    expect(withoutComments("const url = 'https://x' // Date.now()").trimEnd()).toBe("const url = 'https://x'")
    expect(withoutComments('a /* b\nc */ d').split('\n')).toHaveLength(2)
  })
})
