import type { Card } from '../providers/card.ts'

/** Headers in which callers send a provider's key. */
const KEY_HEADERS = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key']

/** The header with the account's key, for clients that can add one. */
export const ACCOUNT_KEY = 'x-pilotlight-key'

/** The header with the name of the account's credential; absent: `default`. */
export const CREDENTIAL = 'x-pilotlight-credential'

/**
 * A signature of AWS. It covers the address that the caller signed for, so it is a key of theirs only where that is AWS's own; a call that names a
 * stored credential goes on with that instead. Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, checked
 * 2026-12-01.
 */
const AWS_SIGNATURE = /^aws4-/i
const OF_AWS_SIGNATURE = ['x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256']

/** Headers that some servers take for the method. What a stored secret may be sent for was judged by the real one. */
const OTHER_METHOD = ['x-http-method', 'x-http-method-override', 'x-method-override']

/** Keys that a call carries. */
export interface Keys {
  /** What says who calls: the token in the path, or an account's key; null: nothing does. */
  ours: string | null
  /** True: the caller brought a key of the provider. */
  theirs: boolean
}

/**
 * Finds the keys of a call. An account's key where the provider's belongs is ours as well: many clients have one field for a key, and the
 * provider must never see it. `isOurs` tells one by its form.
 */
export function keysOf(
  { headers, token, query }: { headers: Headers; token: string | null; query: string },
  isOurs: (key: string) => boolean,
): Keys {
  const all = presentedKeys(headers, query)
  const presented = token ?? headers.get(ACCOUNT_KEY) ?? all.find(isOurs) ?? null
  return { ours: presented, theirs: all.length > 0 && !all.some(isOurs) }
}

/** Every key that a call carries where a provider's belongs. */
export function presentedKeys(headers: Headers, query: string): string[] {
  const given = KEY_HEADERS.flatMap((name) => {
    const value = headers.get(name)
    if (value === null || (AWS_SIGNATURE.test(value) && headers.has(CREDENTIAL))) return []
    return [value.replace(/^bearer +/i, '').trim()]
  })
  const inQuery = new URLSearchParams(query).get('key') // an account key there is one that may stand in a URL, or it is refused
  return [...given, ...(inQuery === null ? [] : [inQuery])].filter((key) => key !== '')
}

/** Puts the stored secret where the provider looks for it, and takes every other key out. */
export function withSecret(headers: Headers, { auth }: Pick<Card, 'auth'>, secret: string): Headers {
  const set = new Headers(headers)
  for (const name of [...KEY_HEADERS, ...OF_AWS_SIGNATURE, ...OTHER_METHOD]) set.delete(name)
  if (auth.header === 'authorization-bearer') set.set('authorization', `Bearer ${secret}`)
  else set.set(auth.header, [auth.scheme, secret].filter(Boolean).join(' '))
  return set
}

/** A query without `key`: the account's, or that of a caller for whom the stored one is sent. Every other byte stays. */
export function withoutKey(query: string): string {
  if (query === '') return ''
  const kept = query
    .slice(1)
    .split('&')
    .filter((pair) => !new URLSearchParams(pair).has('key'))
  return kept.length === 0 ? '' : `?${kept.join('&')}`
}

/** Whether something that goes on to a provider holds a key of ours, in whatever place and wording. */
export function holdsOurKey(
  { headers, query }: { headers: Headers; query: string },
  secrets: readonly string[],
): boolean {
  const texts = [...headers.values(), query, [...new URLSearchParams(query)].flat().join(' ')]
  return texts.some(
    (text) => /plk_[a-z0-9-]/.test(text) || secrets.some((secret) => secret !== '' && text.includes(secret)),
  )
}
