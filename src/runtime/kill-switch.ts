import type { Clock } from './clock.ts'
import type { Environment } from './env.ts'
import { directoryAt, registryAt } from './objects.ts'

/**
 * Longest time that an isolate trusts its last answer, in real milliseconds. Each call of ours asks before it is sent, so none leaves
 * later than this after the switch was thrown.
 */
export const KILL_SWITCH_CACHE_MS = 250

/** Time that the Directory has to answer, in real milliseconds. */
const ANSWER_MS = 2_000

/** The kill switch of the deployment. `version` rises with each change, so that an account never goes back to an older one. */
export interface KillSwitch {
  on: boolean
  version: number
}

/** What this isolate was told last, and when. It is the same for the whole deployment. */
let known: (KillSwitch & { readAt: number }) | null = null
/** The version that an account was told by this isolate. */
const told = new Map<string, number>()
const TOLD_IN_MEMORY = 10_000

/** Remembers what the Directory answered. */
export function rememberKillSwitch({ on, version }: KillSwitch, now: number): void {
  if (known === null || version >= known.version) known = { on, version, readAt: now }
}

/** The kill switch as of a quarter of a second ago at most; null: the Directory did not answer. */
export async function killSwitchOf(env: Pick<Environment, 'DIRECTORY'>, clock: Clock): Promise<KillSwitch | null> {
  const now = clock.now()
  if (known !== null && now >= known.readAt && now - known.readAt < KILL_SWITCH_CACHE_MS * clock.rate) return known
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ANSWER_MS)
  })
  try {
    const read = await Promise.race([directoryAt(env).killSwitchState(), late])
    // As of the instant of asking: the answer may be older than its arrival.
    if (read !== null) rememberKillSwitch(read, now)
    return read
  } catch (thrown) {
    console.error('the kill switch could not be read', thrown instanceof Error ? thrown.name : 'unknown')
    return null
  } finally {
    clearTimeout(timer)
  }
}

/** Reason why nothing of ours may be sent now; null: it may. Where the Directory does not answer, nothing is sent. */
export async function heldByKillSwitch(env: Pick<Environment, 'DIRECTORY'>, clock: Clock): Promise<string | null> {
  const state = await killSwitchOf(env, clock)
  if (state === null) return 'the Directory did not say whether the kill switch is on'
  return state.on ? 'the kill switch is on' : null
}

/**
 * Tells an account of the kill switch before its turn in the roll-out, so that its plans stop, or go on, with the next thing that
 * happens to it. Returns the switch; null: the Directory did not answer, and nothing was told.
 */
export async function tellKillSwitch(
  env: Pick<Environment, 'DIRECTORY' | 'REGISTRY'>,
  clock: Clock,
  account: string,
): Promise<KillSwitch | null> {
  const state = await killSwitchOf(env, clock)
  if (state === null || (told.get(account) ?? 0) >= state.version) return state
  try {
    await registryAt(env, account).adoptKillSwitch({ on: state.on, version: state.version })
    if (told.size >= TOLD_IN_MEMORY) told.clear()
    told.set(account, state.version)
  } catch (thrown) {
    // The roll-out tells it again, and whoever sends asks the Directory himself.
    console.error('a registry could not be told of the kill switch', thrown instanceof Error ? thrown.name : 'unknown')
  }
  return state
}
