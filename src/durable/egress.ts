import { DurableObject } from 'cloudflare:workers'
import { failureValue } from '../contract/failure.ts'
import type { ForwardedCall } from '../calls/egress.ts'
import { dialectById } from '../providers/registry.ts'
import type { Sent } from '../providers/transport/send.ts'
import { transport } from '../calls/send.ts'
import type { Environment } from '../runtime/env.ts'

/** Result of a call, as plain data that crosses between objects. */
export type ForwardedSent =
  | Extract<Sent, { kind: 'failed' }>
  | { kind: 'answered'; status: number; headers: [string, string][]; text: string }

/**
 * Object in a region, one for each region name. It stores nothing: it sends calls that a provider refused because of the region
 * they came from.
 */
export class Egress extends DurableObject<Environment> {
  async send(call: ForwardedCall): Promise<ForwardedSent> {
    const dialect = dialectById(call.card.dialect)
    if (dialect === undefined) {
      return { kind: 'failed', failure: failureValue('internal', 'The request was not sent.'), outcomeKnown: true }
    }
    const sent = await transport.send({ ...call, card: { ...call.card, dialect } })
    return sent.kind === 'failed' ? sent : { ...sent, headers: [...sent.headers] }
  }
}
