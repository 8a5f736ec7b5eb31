/** Measures Pilotlight on a real engine, and sums the figures up. */
import { randomUUID } from 'node:crypto'
import { ask, type Engine, type Message, type Seen } from './engine.ts'

export interface Settings {
  /** Pairs of a cold and a warmed request. */
  rounds: number
  /** Characters of a prefix. */
  chars: number
  /** Prompts that the engine holds at once. One prefix more is kept, so that they evict one another. */
  slots: number
}

/** Sends a request to Pilotlight and reads its answer. Throws where it is refused. */
export type Ask = <Answer>(method: string, path: string, body?: unknown) => Promise<Answer>

interface Warmed {
  id: string
  receipt: {
    kind: string
    latency_ms: number
    usage: { input_tokens: number | null; cached_input_tokens: number | null }
  } | null
  job?: { id: string } | null
  warmth: { state: string; p_warm: number }
  plan: { plan: unknown; stopped: { reason: string } | null; why: string; how?: string }
}

export interface Figures {
  cold: Seen[]
  warmed: Seen[]
  /** What a plan says of itself, and whether it runs. */
  plans: { plan: unknown; runs: boolean; why: string; dryRun: string }[]
  matched: number
  /** Keep-alives of one prefix more than there are slots, in turn. */
  pressure: { kind: string; readShare: number | null; state: string }[]
}

const SENTENCE =
  'Guests bring their own sleeping bags, and the warden keeps the stove alight until ten in the evening. '
const PLANS = ['always', { probes: 3 }, 'auto'] as const

/** A prompt whose system part no other one begins with. */
function prompt(chars: number, question: string): Message[] {
  const content = `Rules ${randomUUID()}. ${SENTENCE.repeat(Math.ceil(chars / SENTENCE.length))}`.slice(0, chars)
  return [
    { role: 'system', content },
    { role: 'user', content: question },
  ]
}

export async function measure(
  pilotlight: Ask,
  engine: Engine,
  { rounds, chars, slots }: Settings,
  say: (line: string) => void,
): Promise<Figures> {
  const bodyOf = (messages: Message[]) => ({ model: engine.model, messages, max_tokens: 4 })
  const warm = (messages: Message[], more: object = {}): Promise<Warmed> =>
    pilotlight('POST', '/warm', {
      provider: 'llama-cpp',
      request: bodyOf(messages),
      keep_warm: { plan: 'off' },
      ...more,
    })
  const figures: Figures = { cold: [], warmed: [], plans: [], matched: 0, pressure: [] }

  // Cold and warmed requests take turns, so that other load of the machine slows both. The first pair only loads the model.
  for (let round = 0; round <= rounds; round++) {
    const cold = await ask(engine, prompt(chars, 'Which hut is next?'))
    const messages = prompt(chars, 'May dogs sleep inside?')
    const { id } = await warm(messages)
    const after = await ask(engine, [messages[0]!, { role: 'user', content: 'When does the warden leave?' }])
    const { data } = await pilotlight<{ data: { matched: boolean }[] }>('POST', '/observations', [
      { prefix_id: id, usage: after.usage, started_at: after.startedAt, ttft_ms: after.ttftMs },
    ])
    if (round === 0) continue
    figures.cold.push(cold)
    figures.warmed.push(after)
    if (data[0]?.matched === true) figures.matched += 1
    say(`  ${round}: cold ${Math.round(cold.ttftMs)} ms, warmed ${Math.round(after.ttftMs)} ms`)
  }

  for (const plan of PLANS) {
    const messages = prompt(chars, 'Is there tea?')
    const keep_warm = { plan }
    const dry = await warm(messages, { keep_warm, dry_run: true })
    const { id, plan: running } = await warm(messages, { keep_warm })
    figures.plans.push({
      plan,
      runs: running.stopped === null,
      why: running.stopped === null ? running.why : running.stopped.reason,
      dryRun: dry.plan.how ?? '',
    })
    await pilotlight('DELETE', `/prefixes/${id}`)
  }

  const ids: string[] = []
  for (let slot = 0; slot <= slots; slot++) ids.push((await warm(prompt(chars, 'Where is the spring?'))).id)
  // Each is asked for once the others have taken its place.
  for (const id of ids) {
    const { receipt, warmth } = await pilotlight<Warmed>('POST', `/prefixes/${id}/warm`)
    const { input_tokens: input = null, cached_input_tokens: read = null } = receipt?.usage ?? {}
    const readShare = input === null || read === null ? null : read / input
    figures.pressure.push({ kind: receipt?.kind ?? 'none', readShare, state: warmth.state })
  }
  return figures
}

/** The figures as they are printed with `--json`. Times in milliseconds. */
export function summary({ cold, warmed, plans, matched, pressure }: Figures, settings: Settings, engine: Engine) {
  const times = (seen: Seen[]) => {
    const sorted = seen.map(({ ttftMs }) => ttftMs).toSorted((a, b) => a - b)
    return {
      median: Math.round(median(sorted)),
      least: Math.round(sorted[0] ?? 0),
      most: Math.round(sorted.at(-1) ?? 0),
    }
  }
  const share = (seen: Seen[]): number | null => {
    const shares = seen.flatMap(({ inputTokens, cachedTokens }) =>
      inputTokens === null || cachedTokens === null ? [] : [cachedTokens / inputTokens],
    )
    return shares.length === 0 ? null : rounded(median(shares.toSorted((a, b) => a - b)))
  }
  return {
    model: engine.model,
    rounds: settings.rounds,
    slots: settings.slots,
    input_tokens: warmed[0]?.inputTokens ?? null,
    ttft_ms: { cold: times(cold), warmed: times(warmed) },
    read_share: { cold: share(cold), warmed: share(warmed) },
    observations_matched: matched,
    plans: plans.map(({ plan, runs, why, dryRun }) => ({ plan, runs, why, dry_run: dryRun })),
    slot_pressure: {
      prefixes: pressure.length,
      warmed_again: pressure.map(({ kind, readShare, state }) => ({
        receipt: kind,
        read_share: readShare === null ? null : rounded(readShare),
        state,
      })),
      // An entry that another prompt drove out is read in a small part: whoever says `full` then is wrong.
      called_full_below_half: pressure.filter(({ kind, readShare }) => kind === 'full' && (readShare ?? 1) < 0.5)
        .length,
    },
  }
}

function median(sorted: readonly number[]): number {
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000
}
