import { Failure } from '../../contract/failure.ts'
import { invalid } from '../dialects/shared/body.ts'
import type { Card } from '../card.ts'

/** Headers that carry a credential somewhere. A probe has the credential that its prefix was registered with, and no other. */
const CREDENTIALS = new Set([
  'authorization',
  'proxy-authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'cookie',
  'x-amz-security-token',
])

/** Whose value is a list of names: their order and repetition say nothing. */
const LISTS = /-beta$/

/** What probes carry beside the body, and the same as text for comparison: null where nothing differs from the card's own. */
export interface CallerHeaders {
  sent: Record<string, string>
  compared: string | null
}

/**
 * Reads the headers of a caller's real requests. What a provider's card does not name is refused, because it would make a
 * probe another request than it seems, or carry what belongs to nobody but the caller.
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
      throw invalid(`${field}.${spelled}`, 'carries a credential, which no request brings; name one with credential')
    }
    if (!known.includes(name)) {
      const takes = known.length === 0 ? 'takes none' : `takes ${known.join(', ')}`
      throw new Failure(
        'invalid_request',
        `${field}.${spelled}: is no header that probes carry; ${card.id} ${takes}.`,
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
