import { describe, expect, it } from 'vitest'
import { guesses } from '../../../src/cli/log/columns.ts'
import { run } from '../support.ts'

const START = Date.UTC(2026, 10, 3, 8)
const MINUTES = [0, 3, 20, 22, 90]
const OPUS = ['--prices', 'anthropic/claude-opus-4-8']

const row = (minute: number, index: number) => ({
  ts: new Date(START + minute * 60_000).toISOString(),
  tenant: 'mill',
  usage: { input_tokens: 20_050, cached: index % 2 === 1 ? 20_000 : 0, cache_written: index % 2 === 1 ? 0 : 20_000 },
  llm: { name: 'claude-opus-4-8', vendor: 'anthropic' },
  call: `c${minute}`,
})
const rows = MINUTES.map(row)
const lines = (list: readonly unknown[]): string => list.map((one) => `${JSON.stringify(one)}\n`).join('')

const READ = ['--time', 'ts', '--prefix', 'tenant', '--tokens', 'usage.input_tokens']
const ALL = [
  ...READ,
  '--read',
  'usage.cached',
  '--write',
  'usage.cache_written',
  '--model-path',
  'llm.name',
  '--provider-path',
  'llm.vendor',
  '--id',
  'call',
]

async function result(text: string, ...args: string[]) {
  const { out, said, code } = await run(['simulate', '-', '--json', ...args], { text })
  if (code !== 0) throw new Error(said)
  const { format, requests, models, not_counted: notCounted } = JSON.parse(out)
  const [{ provider, model, prefixes, plans }] = models
  return {
    format,
    requests,
    of: `${provider} ${model}`,
    prefix: prefixes[0].prefix,
    tokens: prefixes[0].tokens,
    costUsd: plans[0].cost_usd,
    leftOut: notCounted.left_out,
    unusable: notCounted.unusable,
  }
}

describe('a log of any form', () => {
  it('is read by the paths that the options name', async () => {
    // No cached counts are asked for: the whole prompt, three writes of $0.1253125 and two reads of $0.010025.
    expect(await result(lines(rows), ...READ, ...OPUS)).toMatchObject({
      format: 'columns',
      requests: 5,
      prefix: 'mill',
      tokens: 20_050,
      costUsd: expect.closeTo(0.3959875, 9),
    })
  })

  it('is read with its cached counts, its models and its ids, and counts no request twice', async () => {
    const right = { requests: 5, of: 'anthropic claude-opus-4-8', tokens: 20_000, costUsd: expect.closeTo(0.395, 9) }
    expect(await result(lines([...rows, ...rows]), ...ALL)).toMatchObject({
      ...right,
      leftOut: { 'requests that the log holds more than once': 5 },
    })
    expect(await result(JSON.stringify(rows, null, 1), ...ALL)).toMatchObject(right)
  })

  it('counts cached tokens in or beside the input alike', async () => {
    const beside = rows.map((one) => ({ ...one, usage: { ...one.usage, input_tokens: 50 } }))
    const [inside, outside] = [await result(lines(rows), ...ALL), await result(lines(beside), ...ALL)]
    expect(outside).toEqual(inside)
  })

  it('is read from CSV, also through JSON in a cell and names with dots', async () => {
    const cells = rows.map(({ ts, usage }) => `${ts};mill;"${JSON.stringify(usage).replaceAll('"', '""')}";20050\n`)
    const text = `ts;tenant;usage;n.in\n${cells.join('')}`
    const right = { requests: 5, tokens: 20_050 }
    expect(await result(text, ...READ, ...OPUS)).toMatchObject(right)
    expect(await result(text, '--time', 'ts', '--tokens', 'n.in', ...OPUS)).toMatchObject({
      ...right,
      prefix: 'all requests',
    })
  })

  it('offers what its columns look like when it is not known', async () => {
    const { code, out, said } = await run(['simulate', '-'], { text: lines(rows) })
    expect([code, out]).toEqual([2, ''])
    expect(said).toContain('It looks like `ts` is the time')
    const options = /: (--time .*)\n$/.exec(said)?.[1]?.split(' ') ?? []
    expect(options).toEqual(expect.arrayContaining(READ))
    // What it offers works.
    expect(await result(lines(rows), ...options, ...OPUS)).toMatchObject({ requests: 5, tokens: 20_000 })
  })

  it.each([
    [{ created_at: '2026-11-03T08:00:00Z', input: 5 }, 'It looks like `created_at` is the time: --time created_at'],
    [
      { at: { started: 1_793_692_800 }, usage: { prompt_tokens: 7, completion_tokens: 9 } },
      'It looks like `at.started` is the time, `usage.prompt_tokens` is the input in tokens: --time at.started --tokens usage.prompt_tokens',
    ],
    [
      { when: '2026-11-03T08:00:00Z', in_tokens: 5 },
      'It looks like `when` is the time, `in_tokens` is the input in tokens: --time when --tokens in_tokens',
    ],
    [{ color: 'red', size: 4 }, ''],
    // A value that is no time is none, whatever its name.
    [{ created_at: 'yesterday' }, ''],
  ])('guesses by names and values: %j', (fields, right) => {
    expect(guesses(fields)).toBe(right)
  })

  it('names the option whose column no record has, and what there is', async () => {
    const { code, said } = await run(['simulate', '-', '--time', 'when', ...OPUS], { text: lines(rows) })
    expect(code).toBe(2)
    expect(said).toContain('--time: no record has `when`. It looks like `ts` is the time')
    const both = await run(['simulate', '-', '--time', 'ts', '--format', 'plain'], { text: lines(rows) })
    expect(both).toMatchObject({ code: 2, said: expect.stringContaining('--time names a column; omit --format') })
  })

  it('counts rows that it cannot use by their reason, with the first line', async () => {
    const broken = [
      { ...rows[0], ts: 'soon' },
      { ...rows[0], ts: 'later' },
      { ...rows[0], usage: { input_tokens: -4 } },
      { ...rows[0], tenant: '' },
    ]
    const { unusable, requests } = await result(lines([...rows, ...broken]), ...READ, ...OPUS)
    expect(requests).toBe(5)
    expect(unusable).toMatchObject([
      { field: 'ts', count: 2, first_line: 6 },
      { field: 'usage.input_tokens', count: 1, first_line: 8 },
      { field: 'tenant', count: 1, first_line: 9 },
    ])
  })
})
