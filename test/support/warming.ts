import type { TestAccount } from './account.ts'
import { failed } from './account.ts'
import type { Message } from '../../src/durable/registry/records/claim.ts'
import { SingleFlight } from '../../src/durable/registry/warming/single-flight.ts'

/** What the parts of warming need around a test account: a clock that the test moves, and the messages that they send. */
export function warmingPorts(account: TestAccount, startsAt: number) {
  const now = { at: startsAt }
  const sent: Message[] = []
  const clock = {
    now: () => now.at,
    rate: 1,
    realMs: (durationMs: number) => durationMs,
    realAt: (at: number) => at,
    sleep: () => Promise.resolve(),
    grainMs: 1_000,
  }
  const ports = {
    clock,
    send: (messages: readonly Message[]) => {
      sent.push(...messages)
      return Promise.resolve()
    },
    rearm: () => Promise.resolve(),
  }
  const flights = new SingleFlight(account.store, account.scheduler, account.registrar, {
    ...ports,
    timeoutOf: () => null,
    grants: () => ({ allowedSecrets: [], credentials: [] }),
  })
  /** Lets the calls of all messages sent so far fail for good. */
  const failAll = (): void => {
    for (const { seq } of sent.splice(0)) {
      const leases = account.scheduler.begin(seq, now.at)
      account.scheduler.settle(
        seq,
        leases.map((lease) => failed(lease, now.at, { permanent: true })),
        now.at + 200,
      )
    }
  }
  return { now, sent, ports, flights, failAll }
}
