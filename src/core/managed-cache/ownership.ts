import type { ManagedCacheState } from './state.ts'
import { MINUTE_MS } from '../time/time.ts'

/**
 * Ownership of managed caches. The display name of ours holds this deployment's id, the beginning of the content's fingerprint, the
 * instant of its creation, and a keyed mark over these, the model and the credential's scope. A cache with any other display name belongs to
 * somebody else and is never changed.
 */
const PRODUCT = 'pilotlight'
/** Hex digits of the fingerprint in a display name. */
export const DISPLAY_FINGERPRINT_LENGTH = 24
/** Longest time between the instant in a display name and the provider's creation time: call, answer, and both clocks. */
const CREATED_WITHIN_MS = 10 * MINUTE_MS

/** What a mark is made of. `scope`: the credential that made the cache, as `markScope` writes it. */
export interface MarkParts {
  deployment: string
  fingerprint: string
  model: string
  scope: string
  /** When the creation was sent (epoch ms). */
  at: number
}

/** A keyed hash of a text: 32 lower-case hex digits that nobody without the deployment's key can compute. */
export type Sign = (text: string) => string

/** The display name of a new cache of this deployment: at most 128 characters, the provider's limit. */
export function displayNameOf(parts: MarkParts, sign: Sign): string {
  const print = parts.fingerprint.slice(0, DISPLAY_FINGERPRINT_LENGTH)
  const at = parts.at.toString(36)
  return [PRODUCT, parts.deployment, print, at, sign(signed({ ...parts, print, at }))].join(':')
}

function signed({
  deployment,
  print,
  model,
  scope,
  at,
}: Pick<MarkParts, 'deployment' | 'model' | 'scope'> & { print: string; at: string }): string {
  return JSON.stringify([PRODUCT, deployment, print, model, scope, at])
}

/** A cache as its provider lists it. */
export interface NamedCache {
  displayName: string
  model: string
  createdAt: number
}

/**
 * The content that the name of a listed cache claims; null: it does not claim to be ours. `trusted`: its mark is ours, for this model and
 * credential, and it was created when the mark says. Other names, such as those of older versions, are good for caches that the table knows.
 */
export function readMark(
  { displayName, model, createdAt }: NamedCache,
  { deployment, scope }: Pick<MarkParts, 'deployment' | 'scope'>,
  sign: Sign,
): { print: string; trusted: boolean } | null {
  const [product, id, print, at, mark, ...more] = displayName.split(':')
  if (product !== PRODUCT || id !== deployment || print === undefined || more.length > 0) return null
  if (!/^[0-9a-f]{24}$/.test(print)) return null
  if (at === undefined || mark !== sign(signed({ deployment, print, model, scope, at })))
    return { print, trusted: false }
  // A copied name is no proof: whoever has the key can read it in the list, and give it to a cache of his own, later.
  return { print, trusted: Math.abs(createdAt - Number.parseInt(at, 36)) <= CREATED_WITHIN_MS }
}

/** `keep`: the table has it. `leave`: a creation or deletion is in flight. `adopt`: the table has none. `delete`: it is surplus. */
export type ListedAction = 'keep' | 'leave' | 'adopt' | 'delete'

/** What to do with a listed cache of ours, whose content is in the table. `trusted` false: it is at most kept. */
export function listedAction(
  name: string,
  expiresAt: number,
  state: ManagedCacheState,
  current: { inFlight: boolean; dropping: boolean; now: number; trusted?: boolean },
): ListedAction {
  if (state.live?.name === name) return 'keep'
  if (current.inFlight || current.dropping || current.trusted === false) return 'leave'
  const lacking = state.live === null || state.live.expiresAt <= current.now
  const wanted = state.stopped === null || state.stopped.reason === 'kill_switch'
  return lacking && wanted && expiresAt > current.now ? 'adopt' : 'delete'
}

/** A listed cache with a trusted mark. */
export interface Candidate {
  name: string
  tokens: number | null
  createdAt: number
  expiresAt: number
}

/** Shortest rest of its lifetime with which a cache is adopted: it must outlast the answer and the first renewal. */
const LEAST_LEFT_MS = MINUTE_MS
/** An estimate of tokens from bytes is off by less than this factor. */
const ESTIMATE_FACTOR = 4

/**
 * Chooses which listed caches of one content to adopt, and which are surplus. Every process chooses the same one: the last to expire, of
 * those the first created, then by name. One whose tokens cannot be those of the content is neither.
 */
export function chooseListed<One extends Candidate>(
  listed: readonly One[],
  known: { measuredTokens: number | null; estimatedTokens: number },
  now: number,
): { adopted: One | null; surplus: One[] } {
  const fitting = listed
    .filter(({ tokens, expiresAt }) => expiresAt >= now + LEAST_LEFT_MS && fits(tokens, known))
    .toSorted(
      (a, b) =>
        b.expiresAt - a.expiresAt || a.createdAt - b.createdAt || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
    )
  return { adopted: fitting[0] ?? null, surplus: fitting.slice(1) }
}

function fits(
  tokens: number | null,
  { measuredTokens, estimatedTokens }: { measuredTokens: number | null; estimatedTokens: number },
): boolean {
  if (tokens === null) return false
  if (measuredTokens !== null) return tokens === measuredTokens
  return tokens <= estimatedTokens * ESTIMATE_FACTOR && tokens >= estimatedTokens / ESTIMATE_FACTOR
}

/** The scope of a credential in marks: the deployment's own secret, or one generation of a credential of an account. */
export function markScope(given: { account: string; credential: string; credentialGeneration: number } | null): string {
  return given === null ? 'deployment' : `${given.account}/${given.credential}:${given.credentialGeneration}`
}
