import { parseArgs } from 'node:util'
import { say } from '../figure.ts'
import { BLAZEN, PILOTLIGHT, play } from './play.ts'
import type { LabModel, Played, Rules } from './play.ts'
import { scriptOf, SIZES } from './script.ts'

const SEED = 20261121
const TURNS = 200
const HISTORY_TOKENS = 8_192

const LABS: Record<string, LabModel> = {
  anthropic: { provider: 'anthropic', model: 'claude-opus-5', retention: '5m' },
  openai: { provider: 'openai', model: 'gpt-5.6-sol', retention: '30m' },
}

/** Rules to compare: Pilotlight, Blazen, and Pilotlight with single rules replaced by Blazen's. */
export const RULES: Record<string, Rules> = {
  pilotlight: PILOTLIGHT,
  blazen_time_on: BLAZEN,
  blazen_time_off: { ...BLAZEN, time: 'nowhere' },
  blazen_time_off_summarize: { ...BLAZEN, time: 'nowhere', summaries: 'before_each_turn' },
  time_in_the_system_prompt: { ...PILOTLIGHT, time: 'in_the_system_prompt' },
  evicts_one_by_one: { ...PILOTLIGHT, evicts: 'one_by_one' },
  marks_the_head_alone: { ...PILOTLIGHT, marks: 'head' },
  summaries: { ...PILOTLIGHT, summaries: 'behind_earlier_ones' },
  summaries_replace_each_other: { ...PILOTLIGHT, summaries: 'in_place_of_earlier_ones' },
  last_call: { ...PILOTLIGHT, maxIterations: 1 },
  last_call_drops_tools: { ...PILOTLIGHT, maxIterations: 1, lastCall: 'drops_tools' },
}

/** Rule sets that are not compared with Pilotlight's own, and those that they are compared with. */
const BESIDE: Record<string, string> = {
  summaries_replace_each_other: 'summaries',
  last_call_drops_tools: 'last_call',
}

export interface Score {
  calls: number
  input_tokens: number
  cached_tokens: number
  written_tokens: number
  cached_share: number
  input_cost_usd: number
  /** Cost of the input ÷ cost of the same tokens without a cache. */
  input_cost_ratio: number
  /** Cost of the input ÷ Pilotlight's for the same conversation. */
  times_pilotlight: number
  /** Tool results whose call was evicted, which no provider accepts. */
  orphans: number
}

export interface BotReport {
  bench: 'bot'
  seed: number
  turns: number
  head_tokens: number
  history_tokens: number
  /** Pilotlight's value on the lab where it is worse. */
  cached_share: number
  input_cost_ratio: number
  labs: Record<string, { model: string; rules: Record<string, Score> }>
}

export async function compareBots(seed: number, turns: number): Promise<BotReport> {
  const script = scriptOf(seed, turns)
  const labs: BotReport['labs'] = {}
  for (const [name, lab] of Object.entries(LABS)) {
    const rules: Record<string, Score> = {}
    let own: Played | undefined
    for (const [rule, chosen] of Object.entries(RULES)) {
      const played = await play(script, HISTORY_TOKENS, chosen, lab)
      own ??= played
      rules[rule] = scoreOf(played, own)
    }
    labs[name] = { model: lab.model, rules }
  }
  const own = Object.values(labs).map(({ rules }) => rules['pilotlight'])
  return {
    bench: 'bot',
    seed,
    turns,
    head_tokens: SIZES.headTokens,
    history_tokens: HISTORY_TOKENS,
    cached_share: Math.min(...own.map((score) => score?.cached_share ?? 0)),
    input_cost_ratio: Math.max(...own.map((score) => score?.input_cost_ratio ?? Infinity)),
    labs,
  }
}

function scoreOf(played: Played, own: Played): Score {
  return {
    calls: played.calls,
    input_tokens: played.inputTokens,
    cached_tokens: played.cachedTokens,
    written_tokens: played.writtenTokens,
    cached_share: played.cachedTokens / played.inputTokens,
    input_cost_usd: played.inputNanos / 1e9,
    input_cost_ratio: played.inputNanos / played.plainNanos,
    times_pilotlight: played.inputNanos / own.inputNanos,
    orphans: played.orphans,
  }
}

export const BOT_HELP = `npm run -s bench -- bot [--seed N] [--turns N] [--json]

  --seed N    another conversation (${SEED})
  --turns N   of so many turns (${TURNS})
`

/** Runs the command and returns its exit code. */
export async function botBench(args: string[], print: (text: string) => void): Promise<number> {
  const wrong = (text: string): number => {
    say(`${text}\n${BOT_HELP}`)
    return 2
  }
  let given: { seed: string; turns: string; json: boolean; help: boolean }
  try {
    given = parseArgs({
      args,
      options: {
        seed: { type: 'string', default: String(SEED) },
        turns: { type: 'string', default: String(TURNS) },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false, short: 'h' },
      },
    }).values
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return wrong(error.message)
  }
  if (given.help) {
    print(BOT_HELP)
    return 0
  }
  const [seed, turns] = [Number(given.seed), Number(given.turns)]
  if (!Number.isSafeInteger(seed) || seed < 0) return wrong('--seed: a whole number, 0 or more')
  if (!Number.isSafeInteger(turns) || turns < 1 || turns > 10_000) return wrong('--turns: a whole number, 1 to 10000')
  const report = await compareBots(seed, turns)
  print(given.json ? `${JSON.stringify(report)}\n` : tableOf(report))
  return 0
}

function tableOf({ seed, turns, head_tokens, history_tokens, labs, ...own }: BotReport): string {
  const tables = Object.entries(labs).map(([name, { model, rules }]) => {
    const rows = Object.entries(rules).map(([rule, score]) => {
      const beside = BESIDE[rule]
      const cells = [
        score.cached_share.toFixed(3),
        score.input_cost_ratio.toFixed(3),
        `$${score.input_cost_usd.toFixed(3)}`,
        score.times_pilotlight.toFixed(2),
      ]
      return `${rule.padEnd(30)}${cells.map((cell) => cell.padStart(10)).join('')}${beside === undefined ? '' : `   (beside ${beside})`}`
    })
    const head = ['cached', 'cost', 'input', '× ours'].map((cell) => cell.padStart(10)).join('')
    return `${`${name}, ${model}`.padEnd(30)}${head}\n${rows.join('\n')}\n`
  })
  return `bench bot: seed ${seed}, ${turns} turns, head ${head_tokens} tokens, history_tokens ${history_tokens}
cached_share ${own.cached_share.toFixed(3)} (aim ≥ 0.85), input_cost_ratio ${own.input_cost_ratio.toFixed(3)}, on the lab on which they are worse

${tables.join('\n')}
cached: share of input tokens read from the cache. cost: of input, ÷ the same tokens without a cache.
Sizes are the lab's tokens, of four bytes. From one turn to the next ${SIZES.afterMs.map((ms) => ms / 1000).join(' to ')} s; one turn in ${SIZES.toolEvery} calls a tool.
`
}
