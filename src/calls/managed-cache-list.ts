import { failureValue } from '../contract/failure.ts'
import { readMark } from '../core/managed-cache/ownership.ts'
import type { ReportedManagedCache } from '../core/managed-cache/state.ts'
import type { ManagedCacheDialect } from '../providers/managed-cache/dialect.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Access } from '../runtime/env.ts'
import { managedCacheMark } from '../runtime/ids.ts'
import { callManagedCache } from './managed-cache-request.ts'
import type { ManagedCacheAnswer } from './managed-cache-request.ts'

/** Limit of pages (a hundred caches each), in case a provider's list never ends. */
const MAX_PAGES = 200

/** A listed cache whose name claims that this deployment created it. */
export interface ListedByName extends ReportedManagedCache {
  /** The first characters of the fingerprint, from its name. */
  print: string
  /** Its mark proves it. */
  trusted: boolean
}

/** The deployment's key for marks, and the scope of the credential that the list is read with. */
export interface MarkReader {
  deployment: string
  key: string
  scope: string
}

export type ListedManagedCaches =
  | { kind: 'listed'; caches: ListedByName[] }
  | Exclude<ManagedCacheAnswer, { kind: 'answered' | 'held' }>

/**
 * Lists the managed caches whose names claim to be this deployment's, page by page, within `timeoutMs` for each, or for all of them where
 * `inAll` says so. Any page that cannot be read fails the whole.
 */
export async function listManagedCaches(
  access: Access,
  dialect: ManagedCacheDialect,
  { deployment, key, scope }: MarkReader,
  clock: Clock,
  timeoutMs: number,
  inAll = false,
): Promise<ListedManagedCaches> {
  const caches: ListedByName[] = []
  const untilAt = clock.now() + timeoutMs
  let pageToken: string | null = null
  for (let page = 0; page < MAX_PAGES; page++) {
    const leftMs = inAll ? untilAt - clock.now() : timeoutMs
    if (leftMs <= 0) return unread('The list of managed caches took too long.')
    const answer = await callManagedCache(access, dialect, dialect.list(pageToken), clock, leftMs)
    if (answer.kind === 'held') return unread(answer.why)
    if (answer.kind !== 'answered') return answer
    try {
      const { caches: listed, nextPageToken } = dialect.readList(answer.text)
      for (const one of listed) {
        const mark = readMark(one, { deployment, scope }, (text) => managedCacheMark(text, key))
        if (mark === null) continue
        const { name, tokens, createdAt, expiresAt } = one
        caches.push({ name, tokens, createdAt, expiresAt, ...mark })
      }
      pageToken = nextPageToken
    } catch (thrown) {
      console.error('managed caches: a list could not be read', thrown instanceof Error ? thrown.name : 'unknown')
      return unread('The list of managed caches could not be read.')
    }
    if (pageToken === null) return { kind: 'listed', caches }
  }
  return unread('The list of managed caches did not end.')
}

function unread(message: string): ListedManagedCaches {
  const failure = failureValue('unreadable_answer', message)
  return { kind: 'failed', failure, permanent: false, retryAfterMs: null, accepted: false }
}
