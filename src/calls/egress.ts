import { failureValue } from '../contract/failure.ts'
import type { FailureKind } from '../contract/failure.ts'
import type { Call, Sent } from '../providers/transport/send.ts'
import type { Environment } from '../runtime/env.ts'

/** Sends a call from a Durable Object in `region`. */
export type SendThrough = (region: DurableObjectLocationHint, call: Omit<Call, 'signal'>) => Promise<Sent>

/** A call as plain data. It crosses between objects, and one of them may still run the previous version. */
export type ForwardedCall = Omit<Call, 'signal' | 'card'> & {
  /** `dialect` is the id of the wire format. */
  card: Pick<Call['card'], 'auth' | 'headers'> & { dialect: string }
}

/** Time allowed for the RPC to the `Egress` and back, in real milliseconds. The call itself has its own time-out. */
const RPC_MARGIN_MS = 2_000

/** Sends through the `Egress` object of a region, which the first call creates there. Never throws, like `transport.send`. */
export function throughEgress(env: Pick<Environment, 'EGRESS'>): SendThrough {
  return async (region, { card: { auth, headers, dialect }, ...call }) => {
    let timer: ReturnType<typeof setTimeout> | undefined
    // Without this limit, an object that neither answers nor fails would keep the lease until it expires.
    const timedOut = new Promise<Sent>((resolve) => {
      timer = setTimeout(
        () => resolve(lost('provider_timeout', 'The provider did not answer in time.')),
        call.timeoutMs + RPC_MARGIN_MS,
      )
    })
    try {
      const stub = env.EGRESS.get(env.EGRESS.idFromName(region), { locationHint: region })
      const sent = await Promise.race([stub.send({ ...call, card: { auth, headers, dialect: dialect.id } }), timedOut])
      return sent.kind === 'failed' ? sent : { ...sent, headers: new Headers(sent.headers as HeadersInit) }
    } catch {
      // The error may contain the call, and with it a credential, so it is not passed on. The request may have been sent.
      return lost('provider_unavailable', 'The call through another region failed.')
    } finally {
      clearTimeout(timer)
    }
  }
}

function lost(kind: FailureKind, message: string): Sent {
  return { kind: 'failed', failure: failureValue(kind, message), outcomeKnown: false }
}
