import { Failure, FAILURES, readFailure } from '../contract/failure.ts'
import type { Clock } from '../runtime/clock.ts'

/** Real time for which an isolate takes a verified key without asking again. Who is asked then may remember it as long. */
export const FRESH_MS = 30_000
/** Real time for which it takes one when the account cannot be reached. */
export const STALE_MS = 600_000
/** Real time that a call waits for the account before it goes on with what the isolate knows. */
export const PATIENCE_MS = 250

/** Real time that a call waits for an account without which it is not sent. */
export const ANSWER_MS = 5_000

const MOST_KNOWN = 10_000

/** Who calls, as an isolate knows it. */
export interface Trusted {
  account: string
  /** True: the account could not be asked just now. Enough for a call with the caller's own key alone. */
  stale: boolean
}

interface Known {
  account: string
  verifiedAt: number
}

/** Verified keys and tokens of this isolate, by their hash. */
const known = new Map<string, Known>()

/** Forgets the keys of an account. */
export function forgetTrusted(account: string): void {
  for (const [hash, entry] of known) if (entry.account === account) known.delete(hash)
}

/**
 * Says whose key it is. `verify` asks the account, and throws a `Failure` for a bad key. Where the account is slow or down, a key that was good
 * within `STALE_MS` is still taken, and called stale.
 */
export async function trusted(hash: string, clock: Clock, verify: () => Promise<string>): Promise<Trusted> {
  const now = clock.now()
  const before = known.get(hash)
  const ageMs = before === undefined ? Number.POSITIVE_INFINITY : clock.realMs(now - before.verifiedAt)
  if (before !== undefined && ageMs >= 0 && ageMs < FRESH_MS) return { account: before.account, stale: false }
  const asked = verify().then(
    (account) => remember(hash, { account, verifiedAt: clock.now() }),
    (thrown: unknown) => {
      // A refusal is an answer; anything else tells nothing of the key.
      if (isRefusal(thrown)) known.delete(hash)
      throw thrown
    },
  )
  if (before === undefined || ageMs < 0 || ageMs >= STALE_MS) return { account: (await asked).account, stale: false }
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), PATIENCE_MS)
  })
  try {
    const inTime = await Promise.race([asked, late])
    if (inTime !== null) return { account: inTime.account, stale: false }
    asked.catch(() => {}) // this call goes on without it
  } catch (thrown) {
    if (isRefusal(thrown)) throw thrown
  } finally {
    clearTimeout(timer)
  }
  return { account: before.account, stale: true }
}

/** What an account answers within `ANSWER_MS`, or refuses. Throws a `Failure` with these words where it is slow or down. */
export async function answered<Answer>(asked: Promise<Answer>, words: string): Promise<Answer> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Failure('internal', words)), ANSWER_MS)
  })
  try {
    return await Promise.race([asked, late])
  } catch (thrown) {
    throw readFailure(thrown) === null ? new Failure('internal', words) : thrown
  } finally {
    clearTimeout(timer)
  }
}

/** Whether somebody judged the key, and took it for bad. */
function isRefusal(thrown: unknown): boolean {
  const failure = readFailure(thrown)
  return failure !== null && FAILURES[failure.kind].status < 500
}

function remember(hash: string, entry: Known): Known {
  known.delete(hash)
  const oldest = known.size >= MOST_KNOWN ? known.keys().next().value : undefined
  if (oldest !== undefined) known.delete(oldest)
  known.set(hash, entry)
  return entry
}
