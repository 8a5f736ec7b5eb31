/** Headers of one connection. Source: RFC 9110, 7.6.1, checked 2026-11-30. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/**
 * Headers of the way from the caller to us: they name the caller's address or our own, which is nobody's business behind us. `cookie` is ours:
 * providers take none.
 */
const OF_OUR_ADDRESS = [
  'cdn-loop',
  'cookie',
  'forwarded',
  'host',
  'true-client-ip',
  'via',
  'x-client-ip',
  'x-original-url',
  'x-real-ip',
  'x-rewrite-url',
]
const OF_OUR_ADDRESS_BY_PREFIX = ['cf-', 'x-forwarded-', 'x-pilotlight']

/** Headers of an answer that are about the provider's address, not about the answer. */
const OF_THEIR_ADDRESS = [
  'alt-svc',
  'clear-site-data',
  'refresh',
  'service-worker-allowed',
  'set-cookie',
  'strict-transport-security',
]

const NOT_TO_PROVIDERS = new Set([...HOP_BY_HOP, ...OF_OUR_ADDRESS])
const NOT_TO_CALLERS = new Set([...HOP_BY_HOP, ...OF_THEIR_ADDRESS])

/**
 * Headers that go on to the provider: all but those of the connection, of our own address, and our own. A list of what may pass would break
 * clients at every new header.
 */
export function requestHeaders(given: Headers): Headers {
  const names = named(given)
  return without(
    given,
    (name) =>
      NOT_TO_PROVIDERS.has(name) ||
      names.includes(name) ||
      OF_OUR_ADDRESS_BY_PREFIX.some((prefix) => name.startsWith(prefix)) ||
      (name === 'referer' && (given.get(name) ?? '').includes('/via/')),
  )
}

/** A copy without some. Each step into the runtime costs more than the comparison of a name, so only those that are there are deleted. */
function without(given: Headers, isDropped: (name: string) => boolean): Headers {
  const kept = new Headers(given)
  for (const name of given.keys()) if (isDropped(name)) kept.delete(name)
  return kept
}

/**
 * What encodings the caller takes. Cloudflare puts its own wish into the header and keeps the caller's beside it, and the runtime wishes for a
 * compressed answer where nothing is said: a caller that asked for none could not read it. Source:
 * developers.cloudflare.com/workers/runtime-apis/request (clientAcceptEncoding), checked 2026-12-01.
 */
export function acceptedEncodings(given: Headers, asked: unknown): string {
  const wanted = typeof asked === 'string' ? asked : (given.get('accept-encoding') ?? '')
  return wanted.trim() === '' ? 'identity' : wanted
}

/** Headers that go back to the caller. */
export function answerHeaders(given: Headers): Headers {
  const names = named(given)
  const kept = without(
    given,
    (name) => NOT_TO_CALLERS.has(name) || names.includes(name) || name.startsWith('x-pilotlight'),
  )
  // A page of the provider must not run on our address, where the dashboard keeps its key.
  if (!/json|event-stream/i.test(given.get('content-type') ?? '')) {
    kept.set('content-security-policy', 'sandbox')
    kept.set('x-content-type-options', 'nosniff')
  }
  return kept
}

/** Headers that a `Connection` header makes part of the connection. It cannot take away what the message needs. */
function named(given: Headers): string[] {
  const names = (given.get('connection') ?? '').split(',').map((name) => name.trim().toLowerCase())
  return names.filter((name) => /^[a-z0-9-]+$/.test(name) && !PROTECTED.includes(name))
}

/** End-to-end headers that no `Connection` header takes away: without them a request would mean something else. */
const PROTECTED = [
  'authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'content-type',
  'content-length',
  'content-encoding',
]
