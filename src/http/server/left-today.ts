import { DEFAULT_CREDENTIAL } from '../../calls/credential.ts'
import { registryOf } from './context.ts'
import type { Call } from './context.ts'

/** What the account may still spend today, in nano-dollars; null: it has no budget. */
export async function leftToday(c: Call): Promise<number | null> {
  return (await registryOf(c).grantsForCount(DEFAULT_CREDENTIAL))?.leftNanos ?? null
}
