import { warmthAfter } from '../../core/cache/standing.ts'
import type { Standing } from '../../core/cache/standing.ts'
import { usd } from '../../core/model/price.ts'
import type { Clock } from '../../runtime/clock.ts'
import { factsOf } from '../../runtime/facts.ts'
import { knowsPrefixes } from '../learning/learner.ts'
import { Recent } from '../learning/recent.ts'
import { isWrittenAt } from '../seen-ends.ts'
import type { Reading } from '../seen-ends.ts'

/** Real time for which an isolate takes what an account said of a prefix. */
const KNOWN_MS = 10_000
/** Real time between two questions of an isolate to an account. */
const ASK_EVERY_MS = 1_000
/** Real time for which the platform is asked to keep a question alive after its call. */
const PATIENCE_MS = 2_000
const MOST_KNOWN = 5_000

const standings = new Recent<Standing>(MOST_KNOWN, KNOWN_MS)
const asked = new Recent<true>(MOST_KNOWN, ASK_EVERY_MS)

/** What warmth needs of the account. */
export interface StandingPorts {
  clock: Clock
  waitUntil: (work: Promise<unknown>) => void
  /** What the account believes of the prefix at the first of these lookups that has one; null: none has. */
  standing: (account: string, entries: string[]) => Promise<Standing | null>
}

/** What is known of the prefix that a call begins with, for the headers of its answer. */
export interface ToldWarmth {
  prefix: string
  warmth: string
}

/**
 * Begins to find out how warm the prefix is that a body begins with. Returns what tells it once the answer is here: null where the account has not
 * answered by then. No call waits for that.
 */
export function warmthOf(
  account: string,
  reading: Reading,
  startedAt: () => number,
  ports: StandingPorts,
): () => ToldWarmth | null {
  const { clock } = ports
  const entries = reading.body.ends.map(({ entry }) => entry)
  const keyOf = (entry: string): string => `${account} ${entry}`
  let found = entries.map((entry) => standings.get(keyOf(entry), realNow(clock))).find((one) => one !== undefined)
  if (found === undefined && entries.length > 0 && asked.get(account, realNow(clock)) === undefined) {
    asked.set(account, true, realNow(clock))
    const told = async (): Promise<void> => {
      const standing = await ports.standing(account, entries)
      if (standing === null) return
      found = standing
      standings.set(keyOf(standing.entry), standing, realNow(clock))
      knowsPrefixes(account, clock)
    }
    // The call may end sooner: what is learned is for the next one then.
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))
    ports.waitUntil(Promise.race([told().catch(() => {}), late]))
  }
  return () => (found === undefined ? null : toldOf(found, reading, startedAt(), clock.now()))
}

function realNow(clock: Clock): number {
  return clock.realAt(clock.now())
}

function toldOf(standing: Standing, { body, outline, entryAt }: Reading, startedAt: number, now: number): ToldWarmth {
  const reads = body.ends.some(({ entry, far }) => entry === standing.entry && far !== true)
  const at = outline.blocks.findIndex((_, index) => entryAt(index) === standing.entry)
  const writes = reads && at >= 0 && isWrittenAt(outline, at)
  const { price } = factsOf(standing.provider, standing.model, now)
  const { state, until, nextNanos, coldNanos } = warmthAfter(standing, { startedAt, reads, writes }, price, now)
  const parts = [
    state,
    ...(until === null ? [] : [`until=${new Date(until).toISOString()}`]),
    ...(nextNanos === null ? [] : [`next_usd=${digits(nextNanos)}`]),
    ...(coldNanos === null ? [] : [`cold_usd=${digits(coldNanos)}`]),
  ]
  return { prefix: standing.id, warmth: parts.join('; ') }
}

/** Dollars, with four significant digits. */
function digits(nanos: number): string {
  return String(Number(usd(nanos).toPrecision(4)))
}
