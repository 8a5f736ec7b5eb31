import { globSync, readFileSync } from 'node:fs'
import { resolve, sep } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  backwardArrows,
  callablePrivates,
  importsOf,
  labArrows,
  namedProviders,
  strayPowers,
  withoutComments,
  type SourceFile,
} from './rules.ts'

const root = resolve(import.meta.dirname, '../..')
const files: SourceFile[] = globSync('{src,test/lab}/**/*.ts', { cwd: root }).map((path) => ({
  path: path.split(sep).join('/'),
  text: readFileSync(resolve(root, path), 'utf8'),
}))
const plant = (path: string, text: string): SourceFile[] => [{ path, text }]

/** Each rule with a file that breaks it and one that comes close without breaking it. */
const rules = [
  {
    rule: 'arrows between rooms never point back',
    check: backwardArrows,
    broken: plant('src/core/planning/plan.ts', "import type { Card } from '../providers/types.ts'"),
    fine: plant('src/providers/card.ts', "import { price } from '../core/price.ts' // not '../http/app.ts'"),
  },
  {
    rule: 'rooms of one step do not know each other',
    check: backwardArrows,
    broken: plant('src/cron/sweep.ts', "export { pack } from '../queue/probes.ts'"),
    fine: plant('src/cron/sweep.ts', "import { Registry } from '../durable/registry.ts'"),
  },
  {
    rule: 'nothing in src reaches out of src',
    check: backwardArrows,
    broken: plant('src/http/app.ts', "const lab = await import('../../test/lab/index.ts')"),
    fine: plant('src/http/app.ts', "import page from '../dashboard/page.html'"),
  },
  {
    rule: 'every room has its place',
    check: backwardArrows,
    broken: plant('src/helpers/text.ts', ''),
    fine: plant('src/worker.ts', "import './http/app.ts'"),
  },
  {
    rule: 'the lab imports nothing from src',
    check: labArrows,
    broken: plant('test/lab/json.ts', "import '../../src/core/prompt/json-text.ts'"),
    fine: plant('test/lab/json.ts', "import './blocks.ts'"),
  },
  {
    rule: 'the time is asked for in src/runtime alone',
    check: strayPowers,
    broken: plant('src/durable/registry/registry.ts', 'const now = Date.now()'),
    fine: plant('src/runtime/clock.ts', 'const now = Date.now()'),
  },
  {
    rule: 'a date without an argument is the time too',
    check: strayPowers,
    broken: plant('src/http/app.ts', 'const at = new Date().toISOString()'),
    fine: plant('src/http/app.ts', 'const at = new Date(now).toISOString() // not Date.now()'),
  },
  {
    rule: 'chance comes from src/runtime alone',
    check: strayPowers,
    broken: plant('src/core/planning/plan.ts', 'const random = Math.random'),
    fine: plant('src/core/planning/plan.ts', 'const drawn = random()'),
  },
  {
    rule: 'the network is handed out by src/runtime alone',
    check: strayPowers,
    broken: plant('src/queue/probes.ts', '  const answer = await fetch(url)'),
    fine: plant('src/http/app.ts', '  async fetch(request: Request): Promise<Response> {\n  return options.fetch(url)'),
  },
  {
    rule: 'the door calls the fetch that it is given',
    check: strayPowers,
    broken: plant('src/providers/transport/send.ts', '  return await globalThis.fetch(url)'),
    fine: plant('src/providers/transport/send.ts', '(fetch: typeof globalThis.fetch) => fetch(url)'),
  },
  {
    rule: 'no provider has a name in core',
    check: namedProviders,
    broken: plant('src/core/model/price.ts', '// as Anthropic does'),
    fine: plant('src/core/model/price.ts', '// as some providers do'),
  },
  {
    rule: 'what is private in a Durable Object is so at run time',
    check: callablePrivates,
    broken: plant('src/durable/registry/registry.ts', '  private rearm(): void {}'),
    fine: plant('src/durable/registry/registry.ts', '  #rearm(): void {} // a private matter'),
  },
]

describe('the rules of the house', () => {
  const checks = [...new Set(rules.map(({ check }) => check))].map((check) => ({ name: check.name, check }))
  it.each(checks)('$name finds nothing in the project', ({ check }) => {
    expect(files.length).toBeGreaterThan(10)
    expect(check(files)).toEqual([])
  })

  it.each(rules)('notices a breach: $rule', ({ check, broken, fine }) => {
    expect(check(broken)).toHaveLength(1)
    expect(check(fine)).toEqual([])
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
