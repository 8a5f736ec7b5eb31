import { describe, expect, it } from 'vitest'
import { ANSWERS, answerOf } from '../../../src/cli/simulate/answer.ts'
import type { Figures } from '../../../src/cli/simulate/answer.ts'
import type { Outcome } from '../../../src/cli/simulate/outcomes.ts'
import { run } from '../support.ts'

const OPUS = ['--prices', 'anthropic/claude-opus-4-8']
const START = 1793606400

/** Rows of one prefix of 20,000 tokens: a write costs $0.125 at 5m and $0.200 at 1h, a read $0.010, a probe $0.010025. */
function rows(prefix: string, gapsMinutes: readonly number[], more = ''): string {
  let at = START
  const times = [at, ...gapsMinutes.map((gap) => (at += gap * 60))]
  return times.map((time) => `${prefix},${time},20000${more}\n`).join('')
}

const every = (minutes: number, count: number): number[] => Array.from({ length: count }, () => minutes)

async function answers(text: string, ...args: string[]) {
  const { out, said, code } = await run(['simulate', '-', '--json', ...args], { text })
  if (code !== 0) throw new Error(said)
  const { answer, models } = JSON.parse(out)
  return { answer, each: models[0].prefixes.map((one: { answer: { kind: string } }) => one.answer.kind), models }
}

const one = async (gaps: readonly number[], ...args: string[]) =>
  (await answers(`prefix,time,tokens\n${rows('mill', gaps)}`, ...OPUS, ...args)).answer

const HEAD = 'prefix,time,tokens\n'

describe('the answer to "should I keep this warm?"', () => {
  it('never goes cold: nothing is to be done', async () => {
    expect(await one(every(3, 480))).toMatchObject({
      kind: 'never_cold',
      sentence: 'Do not warm this prefix: it never goes cold.',
      month: { days: 30, from_days: 1, one_line_usd: 0, best_usd: 0 },
    })
  })

  it('one line is enough: every half hour finds an entry of an hour', async () => {
    // Two days, 96 gaps: 97 x $0.125 = $12.125 at 5m; $0.200 + 96 x $0.010 = $1.16 at 1h. $10.965 x 15.
    expect(await one(every(30, 96))).toMatchObject({
      kind: 'one_line',
      sentence:
        'One line, `ttl: 1h`, saves $164.48 a month without Pilotlight, and no plan of Pilotlight saves more (from 2.0 days of log).',
      month: { one_line_usd: expect.closeTo(164.475, 6), best_usd: expect.closeTo(164.475, 6) },
    })
  })

  it('one line brings most of it, and the rest is counted by itself', async () => {
    // 80 gaps of 30 min and 8 of 90 min, 52 h. At 5m 89 writes, $11.125. At 1h nine writes and 80 reads, $2.60.
    // A probe in each long gap: $0.200, 88 reads and 8 x $0.010025, $1.1602. 8.525 of 9.9648 are 85 %; 1.4398 x 720 / 52.
    const gaps = Array.from({ length: 8 }, () => [...every(30, 10), 90]).flat()
    expect(await one(gaps)).toMatchObject({
      kind: 'one_line',
      sentence: expect.stringMatching(
        /^One line, `ttl: 1h`, brings 85 % of it without Pilotlight; Pilotlight \(the plan .* at 1h\) saves \$19\.94 a month more \(from 2\.2 days of log\)\.$/,
      ),
    })
  })

  it('warm: only probes bridge the gaps', async () => {
    // 36 gaps of 80 min, two days. Without probes the hour is dearer than five minutes: 37 x $0.125 = $4.625.
    // With one probe a gap: $0.200 + 36 x ($0.010 + $0.010025) = $0.9209. $3.7041 x 15.
    expect(await one(every(80, 36))).toMatchObject({
      kind: 'warm',
      sentence: expect.stringMatching(
        /^Warm this prefix with the plan .* at 1h: Pilotlight saves \$55\.56 a month \(from 2\.0 days of log\)\.$/,
      ),
      month: { one_line_usd: 0, best_usd: expect.closeTo(55.5615, 6) },
    })
  })

  it('earns nothing: half a day of probes costs more than a write', async () => {
    expect(await one(every(1440, 10))).toMatchObject({
      kind: 'no_gain',
      sentence:
        'Do not warm this prefix: it goes cold 30 times a month, and no plan earns more than it costs (from 10.0 days of log).',
      month: { best_usd: 0 },
    })
  })

  it('never returns: no probe can pay for a prefix that is used once', async () => {
    const text =
      HEAD +
      every(0, 12)
        .map((_zero, index) => `p${index},${START + index * 9000},20000\n`)
        .join('')
    const { answer } = await answers(text, ...OPUS)
    expect(answer).toMatchObject({ kind: 'never_returns', sentence: expect.stringContaining('these 12 prefixes') })
  })

  it.each([
    ['too few requests', every(180, 8), 'Not enough to tell: 9 requests in 24.0 hours.'],
    ['too short a time', every(30, 47), 'Not enough to tell: 48 requests in 23.5 hours.'],
  ])('not enough data, and how much is needed: %s', async (_what, gaps, start) => {
    expect((await one(gaps)).sentence).toBe(`${start} At least 10 requests in a log of 24.0 hours are needed.`)
  })

  it('just enough data are enough', async () => {
    expect((await one(every(160, 9))).kind).not.toBe('too_little')
  })

  it('unknown prices of most requests: no word on the whole', async () => {
    const text = `prefix,time,tokens,model\n${rows('mill', every(80, 20), ',claude-opus-4-8')}${rows('far', every(30, 60), ',house-model')}`
    expect((await answers(text)).answer).toMatchObject({
      kind: 'unknown_price',
      sentence:
        'Nothing can be said of the whole: the price of 74 % of the requests is unknown (house-model). Give it with --prices PROVIDER/MODEL.',
    })
  })

  it('is given for the whole, and for each prefix', async () => {
    const text = HEAD + rows('busy', every(3, 960)) + rows('cold', every(80, 36)) + rows('few', every(700, 2))
    const { each } = await answers(text, ...OPUS)
    expect(each.toSorted()).toEqual(['never_cold', 'too_little', 'warm'])
    const { out } = await run(['simulate', '-', ...OPUS], { text })
    expect(out).toMatch(/^busy: Do not warm this prefix: it never goes cold\.$/m)
    expect(out).toMatch(/^cold: Warm this prefix with/m)
  })

  it('adds up over models, each row with the prices of its own model', async () => {
    const text = `prefix,time,tokens,model\n${rows('mill', every(80, 36), ',claude-opus-4-8')}${rows('mill', every(3, 960), ',claude-sonnet-4-6')}`
    const { answer, models } = await answers(text)
    expect(models.map((model: { answer: { kind: string } }) => model.answer.kind).toSorted()).toEqual([
      'never_cold',
      'warm',
    ])
    expect(answer).toMatchObject({
      kind: 'warm',
      sentence:
        'Warm the prefixes of 1 of 2 models, each with its cheapest plan: it saves $55.56 a month (from 2.0 days of log).',
    })
  })

  it('stands first, on a terminal and on a page, and says the sum of a month and its days', async () => {
    const { out } = await run(['simulate', '-', ...OPUS], { text: HEAD + rows('mill', every(80, 36)) })
    expect(out.split('\n')[0]).toMatch(/^Warm this prefix with the plan/)
    expect(out.replaceAll('\n', ' ')).toMatch(
      /A month of 30 days, from 2\.0 days of log: \$69\.38 with nothing at 5m, \$13\.81 with .* at 1h\./,
    )
    const short = await run(['simulate', '-', ...OPUS], { text: HEAD + rows('mill', every(80, 5)) })
    expect(short.out).not.toContain('A month of')
  })
})

describe('answerOf', () => {
  const outcome = (plan: Outcome['plan'], retention: string | null, costNanos: number, coldStarts = 5): Outcome => ({
    plan,
    retention,
    coldStarts,
    probes: 0,
    costNanos,
    latencyNanos: 0,
    readsNanos: 0,
    writesNanos: costNanos,
    probesNanos: 0,
  })
  const figures = (costs: [plan: Outcome['plan'], retention: string | null, usd: number][]): Figures => ({
    outcomes: costs.map(([plan, retention, usd]) => outcome(plan, retention, usd * 1e9)),
    prefixes: 1,
    requests: 100,
    spanMs: 30 * 86_400_000,
    atMost: false,
    assumed: false,
  })

  it('claims no saving of less than a cent a month', () => {
    expect(
      answerOf(
        figures([
          ['nothing', '5m', 1],
          ['auto', '5m', 0.991],
        ]),
      ).kind,
    ).toBe('no_gain')
    expect(
      answerOf(
        figures([
          ['nothing', '5m', 1],
          ['auto', '5m', 0.99],
        ]),
      ).kind,
    ).toBe('warm')
  })

  it('takes no saving of a plan that knows the future', () => {
    expect(
      answerOf(
        figures([
          ['nothing', '5m', 9],
          ['clairvoyant', null, 1],
        ]),
      ).kind,
    ).toBe('no_gain')
  })

  it('says what a saving rests on', () => {
    const some = figures([
      ['nothing', '5m', 9],
      ['auto', '5m', 1],
    ])
    expect(answerOf({ ...some, atMost: true }).sentence).toContain('saves at most $8.00 a month')
    expect(answerOf({ ...some, assumed: true }).sentence).toContain('if the assumed retention holds')
  })

  it('names one line as the smaller part where it is one', () => {
    const { kind, sentence } = answerOf(
      figures([
        ['nothing', '5m', 9],
        ['nothing', '1h', 8],
        ['auto', '5m', 1],
      ]),
    )
    expect(kind).toBe('warm')
    expect(sentence).toMatch(/One line, `ttl: 1h`, brings 12 % of it without Pilotlight\.$/)
    expect(ANSWERS).toContain(kind)
  })
})
