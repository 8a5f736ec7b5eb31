import { Failure, readFailure } from '../contract/failure.ts'
import { region as regionName } from '../contract/scalars.ts'
import { network } from '../calls/send.ts'
import { DEFAULT_USE } from '../registration/credential-use.ts'
import type { Card } from '../providers/card.ts'
import { wireOf } from '../providers/registry.ts'
import { cardById } from '../runtime/cards.ts'
import { accessTo, takesRegion } from '../runtime/env.ts'
import type { Access, Vars } from '../runtime/env.ts'
import { readAccountKey, sha256 } from '../runtime/ids.ts'
import { modelIn } from '../usage/address.ts'
import { upstreamUrl } from './address.ts'
import { unreadBody } from './bodies/held.ts'
import { cacheWish } from './bodies/marked.ts'
import { pastBarrier } from './barrier/barrier.ts'
import type { BarrierPorts } from './barrier/barrier.ts'
import { acceptedEncodings, answerHeaders, requestHeaders } from './headers.ts'
import { CREDENTIAL, holdsOurKey, keysOf, withoutKey, withSecret } from './keys.ts'
import { isInference, mayTellUsage, METHODS } from './inference.ts'
import { passing } from './passing.ts'
import { asksForBarrier } from './request/own-headers.ts'
import { readRoute } from './route.ts'
import type { Route } from './route.ts'
import { SUBSCRIPTION } from './seen-ends.ts'
import { answered, trusted } from './trust.ts'
import { watching } from './watching.ts'
import type { WatchPorts } from './watching.ts'

/** What the gateway needs of the rest of the product. */
export interface Ports extends WatchPorts, BarrierPorts {
  /** Whose key or token it is. Throws a `Failure` for a bad one, and any other error where the account cannot be asked. */
  verify: (presented: string) => Promise<string>
  /** The stored credential of an account, as it is sent, and its generation. Throws a `Failure`. */
  secret: (account: string, access: Access, credential: string | null) => Promise<StoredSecret>
}

export interface StoredSecret {
  secret: string
  /** Counts how often the account has replaced it. */
  generation: number
}

/**
 * Sends a caller's own request to its provider, and the answer back: bytes as they came, piece by piece, with no retry and no time-out of ours.
 * Throws a `Failure` for a call that is not sent.
 */
export async function viaGateway(request: Request, ports: Ports): Promise<Response> {
  if (!METHODS.includes(request.method)) return methodRefused()
  const route = readRoute(request.url)
  if (route === null) throw new Failure('not_found', 'The path is not /via/{provider}/….')
  const query = queryOf(route.rest)
  if (route.token !== null && readAccountKey(route.token)?.access !== 'via') {
    await countedAsBad(route.token, ports)
    throw new Failure(
      'unauthenticated',
      'The token in the path is none: make one with POST /accounts/{id}/keys and "access": "via".',
    )
  }
  const keys = keysOf({ headers: request.headers, token: route.token, query }, isOurs)
  const inQuery = readAccountKey(new URLSearchParams(query).get('key') ?? '')
  if (inQuery !== null && inQuery.access !== 'via')
    throw new Failure(
      'unauthenticated',
      'URLs end up in logs, so this key is not taken there; send it in x-pilotlight-key.',
    )
  const who = await callerOf(keys.ours, keys.theirs, route, ports)
  const access = accessOf(route, ports.vars)
  if (request.headers.get('upgrade')?.toLowerCase() === 'websocket') return webSocketRefused()
  const wish = cacheWish(request.headers)
  const path = route.rest.slice(0, route.rest.length - query.length)
  const headers = requestHeaders(request.headers)
  headers.set('accept-encoding', acceptedEncodings(request.headers, request.cf?.['clientAcceptEncoding']))
  if (
    !keys.theirs &&
    (request.headers.get(CREDENTIAL) ?? 'default') === 'default' &&
    !isInference(request.method, path)
  )
    throw new Failure(
      'forbidden',
      "The deployment's own credential serves calls to models alone. Send a key of the provider, or store one.",
    )
  const stored = keys.theirs ? null : await secretOf(who, access, request, ports)
  const sent = stored === null ? headers : withSecret(headers, access.card, stored.secret)
  const url = upstreamUrl(
    { template: access.card.baseUrl, baseUrl: access.baseUrl, version: wireOf(access.card).version },
    path + (keys.theirs ? query : withoutKey(query)),
  )
  const goesOn = { headers: sent, query: keys.theirs ? query : withoutKey(query) }
  const secrets = [ports.vars.ADMIN_KEY, ports.vars.DEV_ACCOUNT_KEY].map((one) => one?.trim() ?? '')
  if (holdsOurKey(goesOn, secrets))
    throw new Failure(
      'invalid_request',
      'A key of Pilotlight is where it would reach the provider; send it in x-pilotlight-key.',
    )
  const onward = { url, headers: sent, send: network, waitUntil: ports.waitUntil, answerHeaders }
  const why = unwatched(request, path, who)
  if (why !== null || who === null)
    return passing(request, { ...onward, watch: () => ({ watcher: null, why: why ?? '' }) })
  const called = calledOf(route, path, request, stored, sent)
  const waits = asksForBarrier(request.headers) && request.headers.has('content-length')
  const watched = await watching(request, who, called, wish, ports, waits)
  const { sent: body, edited, watch, drop, outcome } = watched
  if (edited !== undefined) sent.delete('content-length') // it is another one now
  const goingOn = { ...onward, body, watch, ...(edited === undefined ? {} : { edited }) }
  try {
    if (!waits || !('byteLength' in body)) return await passing(request, goingOn)
    const call = { account: who, reading: await watched.reading, bytes: body.byteLength, outcome }
    const done = await pastBarrier({ ...call, signal: request.signal }, ports)
    watched.sentNow()
    return await passing(request, { ...goingOn, done })
  } catch (thrown) {
    drop()
    throw thrown
  }
}

/** Why the answer of a call is not watched; null: it is. */
function unwatched(request: Request, path: string, who: string | null): string | null {
  if (!mayTellUsage(request.method, path)) return 'not a call to a model'
  return who === null ? 'no account' : unreadBody(request)
}

function calledOf(
  { provider, region }: Route,
  path: string,
  request: Request,
  stored: StoredSecret | null,
  sent: Headers,
): Parameters<typeof watching>[2] {
  const name = request.headers.get(CREDENTIAL) ?? DEFAULT_USE.name
  const own = isSubscription(sent) ? SUBSCRIPTION : DEFAULT_USE
  const credential = stored === null ? own : { name, generation: stored.generation }
  return { provider, region, model: modelIn(path), credential, isOwnKey: stored === null }
}

/** Tokens of subscriptions have caches of their own, which no key of an API reads. */
function isSubscription(headers: Headers): boolean {
  return /^bearer sk-ant-oat/i.test(headers.get('authorization') ?? '') || headers.has('chatgpt-account-id')
}

function queryOf(rest: string): string {
  const start = rest.indexOf('?')
  return start < 0 ? '' : rest.slice(start)
}

function isOurs(key: string): boolean {
  return readAccountKey(key) !== null
}

/** Who calls; null: anybody, of a provider that the administrator opened. */
async function callerOf(
  ours: string | null,
  theirs: boolean,
  { provider }: Route,
  { vars, clock, verify }: Ports,
): Promise<string | null> {
  if (ours === null) {
    if (theirs && isOpen(provider, vars)) return null
    throw new Failure(
      'unauthenticated',
      'The gateway needs an account key (header x-pilotlight-key) or a token in the path (/via/~{token}/{provider}/…).',
    )
  }
  const { account, stale } = await answered(
    trusted(sha256(ours), clock, () => verify(ours)),
    'The account of this key cannot be reached, and the key was not verified here within ten minutes. Send the call again.',
  )
  if (!stale) return account
  if (!theirs) {
    throw new Failure(
      'internal',
      'The account cannot be reached, and its stored credential is not used without asking it.',
    )
  }
  if (cardById(provider)?.like !== undefined) {
    throw new Failure(
      'internal',
      'The account cannot be reached, and this provider is one that the administrator added.',
    )
  }
  return account
}

/** Providers whose calls need no key of ours (comma-separated ids), because the caller's own key is one. */
function isOpen(provider: string, vars: Vars): boolean {
  return (
    (vars.VIA_OPEN ?? '').split(',').some((one) => one.trim() === provider) && cardById(provider)?.like === undefined
  )
}

/** The provider that a path names. Its refusal to be warmed is no reason not to send a caller's own request. */
function accessOf({ provider, region }: Route, vars: Vars): Access {
  const card: Card | undefined = cardById(provider)
  if (card === undefined)
    throw new Failure('not_found', 'There is no provider with this id; GET /providers lists them.')
  if (region !== null && !takesRegion(card))
    throw new Failure('invalid_request', 'The address of this provider has no region; leave out the part behind the @.')
  if (region !== null && !regionName.safeParse(region).success)
    throw new Failure('invalid_request', 'The part behind the @ must be a region or location, such as eu-west-1.')
  const access = accessTo(card, vars, region ?? undefined)
  if (access.refusal?.kind === 'not_configured')
    throw new Failure('not_configured', access.refusal.message, access.refusal.detail)
  if (access.baseUrl.includes('{')) throw new Failure('not_configured', `${card.id}: its address is not complete.`)
  return access
}

function secretOf(who: string | null, access: Access, request: Request, { secret }: Ports): Promise<StoredSecret> {
  if (who === null) throw new Failure('unauthenticated', "The provider's key is missing.")
  return secret(who, access, request.headers.get(CREDENTIAL))
}

/** Has a text that is no key counted with the bad keys of its address. Throws `rate_limited` for one too many. */
async function countedAsBad(token: string, { verify }: Ports): Promise<void> {
  if (isOurs(token)) return
  try {
    await verify(token)
  } catch (thrown) {
    if (readFailure(thrown)?.kind === 'rate_limited') throw thrown
  }
}

function methodRefused(): Response {
  const message = `The gateway carries ${METHODS.join(', ')}.`
  const headers = { allow: METHODS.join(', ') }
  return Response.json({ error: { kind: 'method_not_allowed', message, retryable: false } }, { status: 405, headers })
}

/** Codex asks for a WebSocket first and, at this status, takes HTTP for the rest of its session. */
function webSocketRefused(): Response {
  const message = 'The gateway carries HTTP alone: send the same request without Upgrade.'
  return Response.json({ error: { kind: 'unsupported', message, retryable: false } }, { status: 426 })
}
