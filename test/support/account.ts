import { NOON } from './sample.ts'
import type { AccountSettings } from '../../src/durable/registry/records/account.ts'

/** Settings of an account without a budget and without kill switches. */
export const settings: AccountSettings = {
  account: 'test',
  createdAt: NOON,
  budgetNanosPerDay: null,
  killSwitch: false,
  globalKillSwitch: false,
  allowedSecrets: [],
}
