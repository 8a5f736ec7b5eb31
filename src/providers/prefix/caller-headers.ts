import { Failure } from '../../contract/failure.ts'
import { invalid } from '../dialects/shared/body.ts'
import type { Card } from '../card.ts'

/** Headers that carry a credential at some provider. A probe uses the credential of its registration and no other. */
const CREDENTIALS = new Set([
  'authorization',
  'proxy-authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'cookie',
  'x-amz-security-token',
])

/** Headers whose value is a list of names. Order and repetition have no meaning. */
const LISTS = /-beta$/

/** Headers that probes send, and the same as text for comparison. `compared` is null where no header differs from the card's own. */
export interface CallerHeaders {
  sent: Record<string, string>
  compared: string | null
}

/**
 * Reads the headers of a caller's real requests. Headers that the card does not name are refused: they could change the request in
 * unknown ways, or carry secrets of the caller.
 * Throws `invalid_request` naming the header.
 */
export function callerHeaders(
  card: Pick<Card, 'id' | 'auth' | 'headers' | 'callerHeaders'>,
  given: Readonly<Record<string, string>> | undefined,
  field = 'headers',
): CallerHeaders {
  const known = card.callerHeaders ?? []
  const sent = new Map<string, string>()
  for (const [spelled, value] of Object.entries(given ?? {})) {
    const name = spelled.toLowerCase()
    if (name === card.auth.header || CREDENTIALS.has(name)) {
      throw invalid(
        `${field}.${spelled}`,
        'carries a credential, which is not accepted in headers; name one with credential',
      )
    }
    if (!known.includes(name)) {
      const takes = known.length === 0 ? 'supports none' : `supports ${known.join(', ')}`
      throw new Failure(
        'invalid_request',
        `${field}.${spelled}: is not a header that probes can carry; ${card.id} ${takes}.`,
        {
          field: `${field}.${spelled}`,
          known: [...known],
        },
      )
    }
    if (sent.has(name)) throw invalid(`${field}.${spelled}`, 'is given twice')
    if (card.headers[name] !== value) sent.set(name, value)
  }
  const sorted = [...sent].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const compared = sorted.map(([name, value]) => [name, LISTS.test(name) ? listed(value) : value])
  return { sent: Object.fromEntries(sorted), compared: compared.length === 0 ? null : JSON.stringify(compared) }
}

function listed(value: string): string[] {
  const names = value.split(',').map((name) => name.trim())
  return [...new Set(names.filter((name) => name !== ''))].toSorted()
}
