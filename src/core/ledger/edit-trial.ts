import { DAY_MS } from '../time/time.ts'

/** Share of the sessions whose calls go on without our edits, so that both can be compared. */
export const UNEDITED_SHARE = 0.05
/** Groups of sessions of each arm. All calls of a session are in one, since they depend on each other. */
const GROUPS = 16
/** Groups with calls that each arm needs. */
const LEAST_GROUPS = 12
/** Calls without edits before the first look; each further look waits for twice as many. */
const FIRST_LOOK = 200
const LOOKS = 12
/**
 * The least difference in standard errors that counts, one-sided. Sessions of very different lengths reach it by chance more often than a normal
 * distribution does (0.02 % of looks): in test/core/ledger/edit-trial.test.ts less than 1 % of trials ever do where edits change nothing.
 */
const LEAST_DEVIATION = 3.6
/** Time without edits after they were found to harm. Then they are compared anew. */
export const ASIDE_MS = 7 * DAY_MS

export type Arm = 'edited' | 'plain'

/** The calls of one group of sessions: tokens that they read from the cache, and those of their whole prompts. Stored names. */
interface Group {
  read: number
  prompt: number
  calls: number
}

/** The comparison of calls with our edits and without, of one provider and model. Stored names. */
export interface EditTrial {
  edited: Group[]
  plain: Group[]
  /** Looks at it so far. */
  looks: number
  /** Since when no edit is made; absent: edits are made. */
  asideAt?: number
}

/** A call that asked for an edit. `session`: a keyed hash of its session, below 2^32. */
export interface EditCall {
  arm: Arm
  session: number
  at: number
  readTokens: number
  promptTokens: number
}

export const NO_TRIAL: EditTrial = { edited: [], plain: [], looks: 0 }

/** The arm of a session: a share of the hashes, whatever its calls do. */
export function armOf(session: number): Arm {
  return session < UNEDITED_SHARE * 2 ** 32 ? 'plain' : 'edited'
}

export function isAside({ asideAt }: EditTrial, now: number): boolean {
  return asideAt !== undefined && now - asideAt < ASIDE_MS
}

/** The comparison after calls. `steppedAside`: these calls show that edits lower what is read. */
export function afterEditCalls(
  before: EditTrial,
  calls: readonly EditCall[],
  now: number,
): { trial: EditTrial; steppedAside: boolean } {
  if (isAside(before, now)) return { trial: before, steppedAside: false }
  const known = before.asideAt === undefined ? before : NO_TRIAL
  const arms = { edited: filled(known.edited), plain: filled(known.plain) }
  for (const { arm, session, readTokens, promptTokens } of calls) {
    // Low bits, as the high ones drew the arm.
    const group = arms[arm][session % GROUPS]
    if (group === undefined || promptTokens <= 0) continue
    group.read += Math.min(readTokens, promptTokens)
    group.prompt += promptTokens
    group.calls += 1
  }
  const trial = { ...arms, looks: known.looks }
  const isDue = known.looks < LOOKS && callsOf(arms.plain) >= FIRST_LOOK * 2 ** known.looks
  if (!isDue) return { trial, steppedAside: false }
  const looked = { ...trial, looks: known.looks + 1 }
  const lower = deviationOf(arms.plain, arms.edited) >= LEAST_DEVIATION
  return { trial: lower ? { ...looked, asideAt: now } : looked, steppedAside: lower }
}

/** The share of the prompts' tokens that the calls of an arm read; null: there are none. */
export function readRatio(groups: readonly Group[]): number | null {
  const prompt = groups.reduce((sum, group) => sum + group.prompt, 0)
  return prompt === 0 ? null : groups.reduce((sum, group) => sum + group.read, 0) / prompt
}

export function callsOf(groups: readonly Group[]): number {
  return groups.reduce((sum, { calls }) => sum + calls, 0)
}

function filled(groups: readonly Group[]): Group[] {
  return Array.from({ length: GROUPS }, (_, at) => ({ read: 0, prompt: 0, calls: 0, ...groups[at] }))
}

/**
 * By how many standard errors the read ratio of `more` is above that of `less`, as a deviation of the normal distribution. The error of a ratio comes
 * from leaving out each group in turn; few groups are allowed for by Student's distribution with Welch's degrees of freedom. Null groups: 0.
 */
function deviationOf(more: readonly Group[], less: readonly Group[]): number {
  const [one, other] = [spreadOf(more), spreadOf(less)]
  if (one === null || other === null) return 0
  const difference = one.ratio - other.ratio
  const variance = one.variance + other.variance
  if (difference <= 0) return 0
  // Without any spread both are the same everywhere, and so is their difference.
  if (variance === 0) return Number.POSITIVE_INFINITY
  const freedom = variance ** 2 / (one.variance ** 2 / (one.groups - 1) + other.variance ** 2 / (other.groups - 1))
  const t = difference / Math.sqrt(variance)
  // Wallace's approximation (1959) of the normal deviation that is as rare as a `t`.
  return ((8 * freedom + 1) / (8 * freedom + 3)) * Math.sqrt(freedom * Math.log1p(t ** 2 / freedom))
}

/** Read ratio of an arm, and the variance of it by the jackknife over its groups; null: too few have calls. */
function spreadOf(groups: readonly Group[]): { ratio: number; variance: number; groups: number } | null {
  const used = groups.filter(({ prompt }) => prompt > 0)
  const ratio = readRatio(used)
  const count = used.length
  if (ratio === null || count < LEAST_GROUPS) return null
  const without = used.map((left) => readRatio(used.filter((group) => group !== left)) ?? ratio)
  const mean = without.reduce((sum, one) => sum + one, 0) / count
  const variance = ((count - 1) / count) * without.reduce((sum, one) => sum + (one - mean) ** 2, 0)
  return { ratio, variance, groups: count }
}
