import { DurableObject } from 'cloudflare:workers'
import type { Call, Sent } from '../providers/transport/send.ts'
import { transport } from '../calls/send.ts'
import type { Environment } from '../runtime/env.ts'

/** How a call ended, as plain data: it crosses between objects. */
export type ForwardedSent =
  | Extract<Sent, { kind: 'failed' }>
  | { kind: 'answered'; status: number; headers: [string, string][]; text: string }

/**
 * One per region, made where its name says. It owns nothing and remembers nothing: it sends a call that a provider refused
 * because of where it came from, from here.
 */
export class Egress extends DurableObject<Environment> {
  async send(call: Omit<Call, 'signal'>): Promise<ForwardedSent> {
    const sent = await transport.send(call)
    return sent.kind === 'failed' ? sent : { ...sent, headers: [...sent.headers] }
  }
}
