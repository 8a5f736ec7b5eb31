import { failureValue } from '../../src/contract/failure.ts'
import type { Provider, Reply } from './provider.ts'
import type { Timeline } from './timeline.ts'
import type { Lease, Outcome } from '../../src/calls/lease.ts'

/** As in src/queue/probes.ts: open connections, and how long an outcome that is no failure waits for others. */
const MAX_CONNECTIONS = 6
const SETTLE_WITHIN_MS = 2_000

/** Parts of the world that a consumer needs. */
export interface ConsumerContext {
  timeline: Timeline
  provider: Provider
  /** Settles outcomes at the Registry, which may return new leases. */
  settle: (outcomes: Outcome[]) => Lease[]
  /** Fetches the body of a prefix right before its call, one call of the Registry. False: the lease has ended. */
  fetchBody: (lease: Lease) => boolean
  /** Reports a call that was sent to the provider. */
  sent: (lease: Lease, at: number, reply: Reply) => void
}

/** The probe consumer of src/queue in virtual time: at most six calls, the check of `sendBy` before each, and the settlements. */
export class Consumer {
  readonly #around: ConsumerContext
  readonly #waiting: Lease[] = []
  #busy = 0
  #done: Outcome[] = []
  /** Number of the planned settlement that counts; those with a lower number do nothing. */
  #settlement = 0
  #settlementPlanned = false
  #dead = false

  constructor(around: ConsumerContext, leases: readonly Lease[]) {
    this.#around = around
    for (const lease of leases) this.#start(lease)
  }

  /** Ends the process: no call that it started is reported. */
  die(): void {
    this.#dead = true
  }

  #start(lease: Lease): void {
    if (this.#busy >= MAX_CONNECTIONS) {
      this.#waiting.push(lease)
      return
    }
    this.#busy += 1
    const { timeline } = this.#around
    if (lease.notBeforeAt > timeline.now) timeline.plan(lease.notBeforeAt, () => this.#send(lease))
    else this.#send(lease)
  }

  #send(lease: Lease): void {
    if (this.#dead) return
    const { timeline, provider } = this.#around
    const now = timeline.now
    const base = { lease: lease.id, k: lease.k }
    if (now > lease.sendBy) {
      this.#end({ ...base, kind: 'not_sent', why: 'its deadline passed before it could be sent' })
      return
    }
    if (!this.#around.fetchBody(lease)) {
      this.#end({ ...base, kind: 'not_sent', why: 'its time has ended' })
      return
    }
    const reply = provider.call(lease.k - 1, now)
    this.#around.sent(lease, now, reply)
    const latencyMs = Math.min(reply.latencyMs, lease.timeoutMs)
    const call = { ...base, startedAt: now, latencyMs, primitive: lease.primitive }
    let outcome: Outcome
    if (reply.kind === 'answered' && reply.latencyMs < lease.timeoutMs)
      outcome = { ...call, kind: 'answered', usage: reply.usage, model: lease.model }
    else {
      const throttled = reply.kind === 'throttled'
      outcome = {
        ...call,
        kind: 'failed',
        failure: throttled
          ? failureValue('provider_limited', 'slow down')
          : failureValue('provider_unavailable', 'no answer'),
        // After a dropped connection or a time-out it is unknown whether the provider did the call.
        accepted: reply.kind === 'dropped' || reply.kind === 'answered' ? null : false,
        permanent: false,
        primitiveRefused: false,
        retryAfterMs: throttled ? reply.retryAfterMs : null,
      }
    }
    timeline.plan(now + latencyMs, () => this.#end(outcome))
  }

  #end(outcome: Outcome): void {
    if (this.#dead) return
    this.#done.push(outcome)
    this.#busy -= 1
    const next = this.#waiting.shift()
    if (next !== undefined) this.#start(next)
    const { timeline } = this.#around
    if (this.#busy === 0 || outcome.kind === 'failed') this.#settle(++this.#settlement)
    else if (!this.#settlementPlanned) {
      this.#settlementPlanned = true
      const turn = ++this.#settlement
      timeline.plan(timeline.now + SETTLE_WITHIN_MS, () => this.#settle(turn))
    }
  }

  #settle(turn: number): void {
    if (this.#dead || turn !== this.#settlement || this.#done.length === 0) return
    this.#settlement += 1
    this.#settlementPlanned = false
    const outcomes = this.#done
    this.#done = []
    for (const lease of this.#around.settle(outcomes)) this.#start(lease)
  }
}
