import { failureValue } from '../contract/failure.ts'
import type { FailureKind } from '../contract/failure.ts'
import type { Call, Sent } from '../providers/transport/send.ts'
import type { Environment } from '../runtime/env.ts'

/** How a call leaves through a region. */
export type SendThrough = (region: DurableObjectLocationHint, call: Omit<Call, 'signal'>) => Promise<Sent>

/** A call as plain data: it crosses between objects, of which one may still run the version before. */
export type ForwardedCall = Omit<Call, 'signal' | 'card'> & {
  /** `dialect`: the id of the wire format. */
  card: Pick<Call['card'], 'auth' | 'headers'> & { dialect: string }
}

/** Between two objects; the call itself has its own time-out. */
const ROAD_MS = 2_000

/** Sends through the `Egress` of a region, which is made there the first time. Never throws, as the door does not. */
export function throughEgress(env: Pick<Environment, 'EGRESS'>): SendThrough {
  return async (region, { card: { auth, headers, dialect }, ...call }) => {
    let timer: ReturnType<typeof setTimeout> | undefined
    // An object that neither answers nor fails must not hold the lease for longer.
    const late = new Promise<Sent>((resolve) => {
      timer = setTimeout(
        () => resolve(lost('provider_timeout', 'The provider did not answer in time.')),
        call.timeoutMs + ROAD_MS,
      )
    })
    try {
      const stub = env.EGRESS.get(env.EGRESS.idFromName(region), { locationHint: region })
      const sent = await Promise.race([stub.send({ ...call, card: { auth, headers, dialect: dialect.id } }), late])
      return sent.kind === 'failed' ? sent : { ...sent, headers: new Headers(sent.headers as HeadersInit) }
    } catch {
      // What was thrown may hold the call, and the call holds a credential. Whether it was sent, nobody knows.
      return lost('provider_unavailable', 'The way through another region failed.')
    } finally {
      clearTimeout(timer)
    }
  }
}

function lost(kind: FailureKind, message: string): Sent {
  return { kind: 'failed', failure: failureValue(kind, message), outcomeKnown: false }
}
