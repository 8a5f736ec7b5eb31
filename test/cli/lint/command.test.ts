import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { REFUSED_BODIES } from '../../support/refused-bodies.ts'
import { run } from '../support.ts'

const folder = mkdtempSync(join(tmpdir(), 'lint-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string | object): string {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content, null, 2))
  return path
}
const RULES = 'You answer questions about tents, stoves and sleeping mats for a shop in the mountains.\n'.repeat(100)
const ESC = String.fromCharCode(27)

interface Found {
  cause: string
  line: number
  column: number
  pointer: string
  severity: string
}
async function causes(...args: string[]): Promise<Found[]> {
  const { out } = await run(['lint', ...args, '--json'])
  return (JSON.parse(out) as { findings: Found[] }).findings
}

describe('what comes of it', () => {
  const dirty = file('dirty.txt', `You help.\nRequest ID: 8f14e45f\n`)
  const clean = file('clean.txt', 'You help people who live in tents.\n')

  it('ends with 1 where there are warnings, and with 0 where there are none', async () => {
    const found = await run(['lint', dirty, clean])
    expect(found).toMatchObject({ code: 1, said: '' })
    expect(found.out).toContain(`${dirty}:2:1: warning request_id\n`)
    expect(found.out).toContain('2 files: 1 warning, 0 hints.')
    expect(await run(['lint', clean])).toMatchObject({ code: 0, out: '1 file: 0 warnings, 0 hints.\n' })
  })

  it('counts hints where that is wanted', async () => {
    const tools = ['find', 'book'].map((name) => ({ name, input_schema: {} }))
    const system = [{ type: 'text', text: RULES, cache_control: { type: 'ephemeral' } }]
    const body = file('hints.json', { model: 'claude-opus-4-8', max_tokens: 9, tools, system, messages: [] })
    expect(await run(['lint', body])).toMatchObject({
      code: 0,
      out: expect.stringContaining('hint unstable_tool_order'),
    })
    expect((await run(['lint', body, '--strict'])).code).toBe(1)
  })

  it('has colours on a terminal alone', async () => {
    expect((await run(['lint', dirty], { stdout: { columns: 80 } })).out).toContain(ESC)
    expect((await run(['lint', dirty], { stdout: { columns: 80 }, env: { NO_COLOR: '1' } })).out).not.toContain(ESC)
    expect((await run(['lint', dirty])).out).not.toContain(ESC)
  })

  it('hands no command in the name of a file to the terminal, or to the log of a build', async () => {
    const odd = file(`a${ESC}[2J\n::error::b.txt`, 'Today is 2026-11-21.')
    const { out } = await run(['lint', odd])
    expect(out).not.toContain(ESC)
    expect(out).not.toMatch(/^::/m)
    const { said } = await run(['lint', `${odd}${ESC}`])
    expect(said).toContain('cannot be read')
    expect(said).not.toContain(ESC)
  })

  it('annotates in GitHub Actions, with every character that means something there escaped', async () => {
    const odd = file('a,b:c.txt', 'Today is 2026-11-21.')
    const { out } = await run(['lint', odd, '--github'])
    const path = odd.replaceAll(':', '%3A').replaceAll(',', '%2C')
    expect(out).toMatch(/^::warning file=\S+,line=1,col=10,title=pilotlight lint%3A date::The text contains [^\n]+\n$/)
    expect(out).toContain(`file=${path},`)
  })

  it('reads standard input', async () => {
    const found = await run(['lint', '-'], {
      text: '',
      input: (async function* () {
        yield new TextEncoder().encode('seed: 4711')
      })(),
    })
    expect(found).toMatchObject({ code: 1, out: expect.stringContaining('-:1:1: warning random_seed') })
  })

  it('says what is wrong with its words and its files, and ends with 2', async () => {
    const cases: [string[], string][] = [
      [[], 'give one FILE or more'],
      [[join(folder, 'nowhere.txt')], 'cannot be read (ENOENT)'],
      [[folder], 'cannot be read (EISDIR)'],
      [[dirty, '--provider', 'acme'], 'the provider "acme" is unknown'],
      [[dirty, '--json', '--github'], 'give only one of them'],
      [[dirty, '--color'], '--color'],
    ]
    for (const [args, words] of cases) {
      expect(await run(['lint', ...args])).toMatchObject({ code: 2, out: '', said: expect.stringContaining(words) })
    }
    const latin = join(folder, 'latin1.txt')
    writeFileSync(latin, Buffer.from([0x63, 0x61, 0x66, 0xe9]))
    expect(await run(['lint', latin])).toMatchObject({ code: 2, said: expect.stringContaining('is not UTF-8') })
  })
})

describe('places in a file', () => {
  it('are those of the file, behind escapes too', async () => {
    const text = `{\n  "model": "claude-opus-4-8", "max_tokens": 9,\n  "system": "\\u00fcber \\"all\\"\\nToday is 2026-11-21.", "messages": []\n}`
    const [found] = (await causes(file('escapes.json', text))).filter(({ cause }) => cause === 'date')
    const line = text.split('\n')[2] ?? ''
    expect(found).toMatchObject({ line: 3, column: line.indexOf('2026-11-21') + 1, pointer: '/system' })
  })

  it('are the same whether the body stands alone or in a body of POST /warm', async () => {
    const request = { model: 'claude-opus-4-8', max_tokens: 9, system: `Current time: 10:32\n${RULES}`, messages: [] }
    const alone = await causes(file('alone.json', request))
    const wrapped = await causes(file('wrapped.json', { provider: 'anthropic', request }))
    expect(alone.map(({ cause }) => cause)).toEqual(['no_marker', 'timestamp', 'volatile_before_stable'])
    expect(wrapped.map(({ cause, pointer }) => [cause, pointer])).toEqual(
      alone.map(({ cause, pointer }) => [cause, `/request${pointer}`]),
    )
  })

  it('takes the neutral form with its vars, and says what is missing', async () => {
    const form = { provider: 'anthropic', model: 'claude-opus-4-8', system: `Serve {{ tenant }}.\n${RULES}` }
    expect(await causes(file('filled.json', { ...form, vars: { tenant: 'acme' } }))).toEqual([])
    expect(await causes(file('unfilled.json', form))).toMatchObject([{ cause: 'unrendered_template', line: 4 }])
    expect(await causes(file('missing.json', { ...form, vars: {} }))).toMatchObject([{ cause: 'refused' }])
  })
})

it('knows the wire format by its members', async () => {
  const text = `Today is 2026-11-21.\n${RULES}`
  const bodies: [string, object, string[]][] = [
    ['claude', { model: 'claude-opus-4-8', max_tokens: 9, system: text, messages: [] }, []],
    ['responses', { model: 'gpt-5.6-sol', instructions: text, input: [] }, []],
    ['chat', { model: 'gpt-5.6-sol', messages: [{ role: 'developer', content: text }] }, []],
    ['gemini', { systemInstruction: { parts: [{ text }] }, contents: [] }, ['--model', 'gemini-3.1-pro-preview']],
    ['bedrock', { system: [{ text }], messages: [], inferenceConfig: {} }, ['--model', 'anthropic.claude-opus-4-8']],
  ]
  for (const [name, body, args] of bodies) {
    const found = await causes(file(`${name}.json`, body), ...args)
    expect([name, found.filter(({ severity }) => severity === 'warning').map(({ cause }) => cause)]).toEqual([
      name,
      expect.arrayContaining(['date', 'volatile_before_stable']),
    ])
  }
})

it('says that a file is no JSON, and that a body is refused, as findings', async () => {
  expect(await causes(file('broken.json', '{"model": '))).toMatchObject([{ cause: 'refused', severity: 'warning' }])
  const marker = { cache_control: { type: 'ephemeral' } }
  const system = Array.from({ length: 5 }, () => ({ type: 'text', text: RULES, ...marker }))
  const five = file('five.json', { model: 'claude-opus-4-8', max_tokens: 9, system, messages: [] })
  expect(await causes(five)).toMatchObject([{ cause: 'too_many_breakpoints', pointer: '/system/4/cache_control' }])
})

it.each(REFUSED_BODIES.map((one, index) => ({ ...one, index })))(
  'finds $title as registration does ($provider)',
  async ({ index, provider, request, path, cause }) => {
    const pointer = `/${path.replaceAll(/\[(\d+)\]/g, '.$1').replaceAll('.', '/')}`
    const found = await causes(file(`refused-${index}.json`, request), '--provider', provider)
    expect(found).toContainEqual(expect.objectContaining({ cause, pointer, severity: 'warning' }))
  },
)

it('knows bodies of routers and of Converse by their own members', async () => {
  const long = RULES.repeat(2)
  const marked = [{ type: 'text', text: long, cache_control: { type: 'ephemeral' } }]
  const routed = {
    model: 'anthropic/claude-opus-4.8',
    provider: { order: ['anthropic'], allow_fallbacks: false },
    messages: [
      { role: 'system', content: marked },
      { role: 'user', content: 'Who?' },
    ],
  }
  const refused = (found: Found[]) => found.filter(({ severity }) => severity === 'warning')
  expect(refused(await causes(file('routed.json', routed)))).toEqual([])
  expect(refused(await causes(file('routed.json', routed), '--provider', 'openrouter'))).toEqual([])
  const system = [{ text: long }, { cachePoint: { type: 'default' } }]
  const messages = [{ role: 'user', content: [{ text: 'Who?' }] }]
  const modelId = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'
  expect(await causes(file('converse.json', { modelId, system, messages }))).toEqual([])
  expect(await causes(file('untyped.json', { system, messages }), '--model', modelId)).toEqual([])
})

it('measures plain text against a model, where one is named', async () => {
  const short = file('short.txt', 'Be kind.')
  expect(await causes(short)).toEqual([])
  expect(await causes(short, '--provider', 'anthropic', '--model', 'claude-opus-4-8')).toMatchObject([
    { cause: 'below_minimum' },
  ])
})

it('compares bodies that are given together: the same tools in two orders', async () => {
  const body = (names: string[]) => ({
    model: 'claude-opus-4-8',
    max_tokens: 9,
    system: [{ type: 'text', text: RULES, cache_control: { type: 'ephemeral' } }],
    tools: names.map((name) => ({ name, input_schema: {} })),
    messages: [],
  })
  const first = file('first.json', body(['book', 'find']))
  const second = file('second.json', { provider: 'anthropic', request: body(['find', 'book']) })
  const third = file('third.json', body(['book', 'find', 'pay']))
  expect((await causes(first, third)).map(({ cause, severity }) => [cause, severity])).toEqual([
    ['tools_differ', 'warning'],
  ])
  const found = await causes(first, second)
  expect(found.map(({ cause, severity, pointer }) => [cause, severity, pointer])).toEqual([
    ['unstable_tool_order', 'hint', '/request/tools/1'],
    ['unstable_tool_order', 'warning', '/request/tools'],
  ])
})
