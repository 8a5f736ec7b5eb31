import { readFailure } from '../../../contract/failure.ts'
import type { Credentials } from './credentials.ts'
import type { Webhook } from './webhook.ts'

/** Seals again what the former key-encryption secret sealed. A failure is logged: it must not keep rows from ageing. */
export function reseal(
  credentials: Credentials,
  webhook: Webhook,
  inBodies: readonly { reseal(): void }[],
  now: number,
): void {
  try {
    if (!credentials.isEmpty()) credentials.reseal()
    webhook.reseal(now)
    for (const one of inBodies) one.reseal()
  } catch (thrown) {
    console.error('credentials could not be re-encrypted', readFailure(thrown)?.kind ?? 'unknown')
  }
}
