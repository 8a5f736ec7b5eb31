import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { formats } from '../../../src/cli/log/formats.ts'
import { LARGEST_RECORD } from '../../../src/cli/log/records.ts'
import { LIMITS } from '../../../src/cli/log/traffic.ts'
import { logs, logText, run } from '../support.ts'

const folder = mkdtempSync(join(tmpdir(), 'simulate-'))
afterAll(() => rmSync(folder, { recursive: true }))

const plain = join(logs, 'plain.csv')
const OPUS = ['--provider', 'anthropic', '--model', 'claude-opus-4-8']
/** Twelve hours of requests, half an hour apart. */
const halfHours = `prefix,time,tokens\n${Array.from({ length: 25 }, (_, index) => `mill,${1793606400 + index * 1800},20000`).join('\n')}\n`

function withoutColours(text: string): string {
  return text.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, 'g'), '')
}

describe('pilotlight', () => {
  it('lists its commands, and names one that it does not have', async () => {
    const help = await run(['--help'])
    expect([help.code, help.said]).toEqual([0, ''])
    expect(help.out).toContain('simulate')
    expect(await run(['melt'])).toMatchObject({ code: 2, out: '', said: expect.stringContaining('no command "melt"') })
    expect((await run(['constructor'])).code).toBe(2)
    expect((await run([])).code).toBe(2)
  })

  it('runs as a program, wherever it is called from', () => {
    const program = join(import.meta.dirname, '../../../bin/pilotlight.mjs')
    const call = (...args: string[]) =>
      spawnSync(process.execPath, [program, ...args], { cwd: logs, input: halfHours, encoding: 'utf8' })
    const said = call('simulate', 'plain.csv', '--json')
    expect([said.status, said.stderr]).toEqual([0, ''])
    expect(JSON.parse(said.stdout)).toMatchObject({ format: 'plain', requests: 6 })
    expect(call('simulate', '-', ...OPUS).stdout).toContain('standard input: 25 requests')
    expect(call('simulate', 'nowhere.csv')).toMatchObject({
      status: 2,
      stdout: '',
      stderr: 'pilotlight simulate: there is no file nowhere.csv\n',
    })
  })
})

describe('pilotlight simulate', () => {
  it('says in money what each plan would have cost, by a sum that can be checked by hand', async () => {
    // 25 requests, 24 gaps of 30 min; a write $0.125 at 5m and $0.200 at 1h, a read $0.010.
    // Nothing at 5m: 25 writes. Nothing at 1h: one write and 24 reads.
    const { out, code } = await run(['simulate', '-', ...OPUS], { text: halfHours })
    expect(code).toBe(0)
    expect(out).toMatch(/^nothing at 5m +\$3\.13 +25 +0 /m)
    expect(out).toMatch(/^nothing at 1h +\$0\.440 +\$2\.69 +1 +0 /m)
    // Always at 5m: a probe at 4:37, 9:14, … 27:42 of each gap, six, at $0.010025; one write, 24 reads.
    expect(out).toMatch(/^always at 5m +\$1\.81 +\$1\.32 +1 +144 /m)
    expect(out).toContain(
      'Cheapest: written at 1h and never probed, $0.440. It saves $2.69 (86 %) against nothing at 5m.',
    )
  })

  it.each([60, 80, 100, 140])('keeps within a terminal of %i columns', async (columns) => {
    const { out } = await run(['simulate', plain], { stdout: { columns } })
    const widest = Math.max(
      ...withoutColours(out)
        .split('\n')
        .map((line) => line.length),
    )
    expect(widest).toBeLessThanOrEqual(Math.max(80, columns))
    expect(out.includes('█'.repeat(5))).toBe(columns > 70)
  })

  it('has colours on a terminal that wants them and nowhere else', async () => {
    const escape = String.fromCharCode(27)
    const coloured = await run(['simulate', plain], { stdout: { columns: 100 } })
    expect(coloured.out).toContain(escape)
    const bare = await run(['simulate', plain])
    expect(bare.out).not.toContain(escape)
    expect(withoutColours(coloured.out)).toBe(bare.out)
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
      expect((await run(['simulate', plain], { stdout: { columns: 100 }, env })).out).not.toContain(escape)
    }
  })

  it('says the same to a program, in dollars', async () => {
    const { out, said } = await run(['simulate', plain, '--json'])
    expect(said).toBe('')
    const result = JSON.parse(out) as {
      models: {
        plans: { plan: string; retention: string; cost_usd: number; saved_usd: number }[]
        prefixes: unknown[]
      }[]
    }
    expect(result).toMatchObject({
      format: 'plain',
      from: '2026-11-02T08:00:00.000Z',
      to: '2026-11-02T16:00:00.000Z',
      requests: 6,
      models: [
        {
          provider: 'anthropic',
          model: 'claude-opus-4-8',
          retentions: [
            { name: '5m', seconds: 300, assumed: false },
            { name: '1h', seconds: 3600, assumed: false },
          ],
          prefix_count: 2,
          requests: 6,
          other_prefixes: null,
        },
      ],
      not_counted: { price_unknown: [], too_small: [], unusable: [] },
    })
    // mill: three writes of $0.125 and a read; bridge: two writes of $0.1875.
    expect(result.models[0]?.plans[0]).toMatchObject({ plan: 'nothing', retention: '5m', saved_usd: 0, cold_starts: 5 })
    expect(result.models[0]?.plans[0]?.cost_usd).toBeCloseTo(3 * 0.125 + 0.01 + 2 * 0.1875, 9)
    expect(result.models[0]?.prefixes).toHaveLength(2)
  })

  it('writes a page that needs nothing else, and shows no name of the log as markup', async () => {
    const page = join(folder, 'page.html')
    const log = join(folder, '<i>&log.csv')
    writeFileSync(log, 'prefix,time,tokens\n"<script>alert(1)</script>",1793606400,5000\nb,1793606400,5000\n')
    expect((await run(['simulate', log, ...OPUS, '--html', page])).said).toBe(`Wrote ${page}.\n`)
    const html = readFileSync(page, 'utf8')
    expect(html).toContain('<b>&lt;i&gt;&amp;log.csv</b>')
    expect(html).not.toMatch(/<script|<i>&|alert|https?:|src=|url\(/)
    expect(html.match(/<rect/g)).toHaveLength(10 * 3)
    expect(html).toContain('prefers-color-scheme:dark')
  })

  it('counts on stderr what it could not use, and goes on', async () => {
    const text = `${halfHours}mill,soon,20000\nmill,later,20000\n`
    const { code, said, out } = await run(['simulate', '-', ...OPUS], { text })
    expect([code, said]).toEqual([
      0,
      '2 records skipped because they cannot be used. The first: line 27, time: expected ISO 8601 (2026-11-21T09:00:00Z) or the seconds or milliseconds since 1970, from 2001 to 2095.\n',
    ])
    expect(out).toContain('25 requests')
    expect(await run(['simulate', '-', ...OPUS, '--strict'], { text })).toMatchObject({ code: 2, out: '' })
  })

  it('refuses to guess a price or a size, and says what would help', async () => {
    const refusals: [string[], string][] = [
      [[], 'the price is unknown (the log names no model). Give a known provider and model'],
      [['--model', 'house-model'], 'the price of "house-model" is unknown: no model vendor'],
      [['--provider', 'somebody'], 'the provider "somebody" is unknown; known providers: anthropic, openai'],
      [['--prices', 'claude-opus-4-8'], '--prices: expected PROVIDER/MODEL'],
      [['--prices', 'anthropic/claude-opus-4-8', '--model', 'x'], '--prices gives both'],
      [[...OPUS, '--tokens', '10'], 'the prefixes are too small to be cached (fewer than the 1024 tokens'],
      [[...OPUS, '--tokens', '1.5'], '--tokens: expected a whole number from 1 to'],
      [[...OPUS, '--tokens', 'many'], '--tokens: no record has `many`. It looks like `time` is the time'],
      [[...OPUS, '--latency-value', '-1'], "Option '--latency-value' argument is ambiguous"],
      [[...OPUS, '--latency-value', 'much'], '--latency-value: expected a number of US dollars'],
      [[...OPUS, '--top', '1.5'], '--top: expected a whole number'],
      [[...OPUS, '--format', 'xml'], '--format: "xml" is not one of plain, otel, litellm, langfuse'],
      [[...OPUS, '--colour'], "Unknown option '--colour'"],
      [[...OPUS, 'another.csv'], 'give one LOG, not 2'],
    ]
    for (const [args, message] of refusals) {
      const { code, out, said } = await run(['simulate', '-', ...args], { text: halfHours })
      expect([args, code, out]).toEqual([args, 2, ''])
      expect(said).toContain(message)
    }
    const unsized = await run(['simulate', '-', ...OPUS], { text: 'prefix,time\na,1793606400\n' })
    expect(unsized.said).toContain('the log does not contain the size of prefixes. Give it with --tokens N')
    const sized = await run(['simulate', '-', ...OPUS, '--tokens', '5000'], { text: 'prefix,time\na,1793606400\n' })
    expect(sized.code).toBe(0)
    expect((await run(['simulate', folder])).said).toContain('is a folder')
    expect((await run(['simulate', plain, '--html', plain])).said).toContain('this file is the log')
    expect((await run(['simulate', plain, '--html', join(folder, 'no', 'x.html')])).said).toContain('cannot write')
    expect((await run(['simulate'])).said).toContain('give one LOG; see --help')
  })

  it('takes the prices that are asked for in place of those of the log', async () => {
    const models = async (...args: string[]) => {
      const { out } = await run(['simulate', plain, '--json', ...args])
      return (JSON.parse(out) as { models: { provider: string; model: string }[] }).models.map(
        ({ provider, model }) => `${provider} ${model}`,
      )
    }
    expect(await models()).toEqual(['anthropic claude-opus-4-8'])
    expect(await models('--model', 'gpt-5.6-sol')).toEqual(['openai gpt-5.6-sol'])
    expect(await models('--prices', 'gemini/gemini-2.5-pro')).toEqual(['gemini gemini-2.5-pro'])
  })

  it('keeps apart what it has no price for, and says of which model', async () => {
    const { out } = await run(['simulate', join(logs, 'otel.jsonl')])
    expect(out).toContain(
      'Price unknown, not counted: example.models gpt-4o, 1 request of 1 prefix (this provider is unknown).',
    )
    expect(out).toContain('All models, each at its default retention')
  })

  it('says where the retention is assumed, and that whole prompts are no prefixes', async () => {
    const { out } = await run(['simulate', plain, '--prices', 'gemini/gemini-2.5-pro'])
    expect(out).toContain('retention implicit (assumed)')
    const text = JSON.stringify(
      (JSON.parse(logText('litellm.json')) as object[]).map((row) => ({ ...row, metadata: {} })),
    )
    const { out: prompts } = await run(['simulate', '-'], { text })
    expect(prompts).toContain('1 prefix is assumed to be as large as whole prompts')
  })

  it('shows as many prefixes as asked for and sums the rest', async () => {
    const { out } = await run(['simulate', plain, '--top', '1'], { stdout: { columns: 100 } })
    expect(out).toMatch(/^mill +4 +20,000 /m)
    expect(out).not.toMatch(/^bridge /m)
    expect(out).toContain('and 1 prefix more, 2 requests')
  })

  it('shows how far it is with a long log, on one line of a terminal or in a few lines elsewhere', async () => {
    const big = `prefix,time,tokens\n${`${'mill'.repeat(15)},1793606400,20000\n`.repeat(500_000)}`
    const watched = await run(['simulate', '-', ...OPUS], { text: big, stderr: { isTerminal: true } })
    expect(watched.said).not.toContain('\n')
    const log = join(folder, 'big.csv')
    writeFileSync(log, big)
    const unwatched = await run(['simulate', log, ...OPUS])
    expect(unwatched.out).toContain('500,000 requests')
    expect(unwatched.said.split('\n').filter((line) => /^read \d+ of 39 MB …$/.test(line)).length).toBeGreaterThan(0)
    expect(unwatched.said.split('\n').length).toBeLessThan(8)
  })
})

describe('docs/simulate.md', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/simulate.md'), 'utf8')

  it('shows what the command beside it prints', async () => {
    const { out } = await run(['simulate', plain])
    expect(page).toContain(`\`\`\`\n${out}\`\`\`\n`)
  })

  it('names every form of a log and the limits as they are', () => {
    for (const { name } of formats) expect(page).toContain(`| \`${name}\`: `)
    expect(page).toContain(`${LIMITS.prefixes.toLocaleString('en-US')} prefixes`)
    expect(page).toContain(`${LIMITS.gaps.toLocaleString('en-US')} idle gaps`)
    expect(page).toContain(`${LARGEST_RECORD / 1024 ** 2} MiB`)
  })

  it('names every option in the help, and no other', async () => {
    const { out } = await run(['simulate', '--help'])
    const known = new Set(out.match(/--[a-z][\w-]*/g))
    for (const option of page.match(/--[a-z][\w-]*/g) ?? []) {
      expect([...known, '--help']).toContain(option)
    }
  })
})
