import { NOON } from './sample.ts'
import type { AccountSettings } from '../../src/durable/registry/records/account.ts'

/** An account without a budget of its own, its switches off. */
export const settings: AccountSettings = {
  account: 'test',
  createdAt: NOON,
  budgetNanosPerDay: null,
  killSwitch: false,
  globalKillSwitch: false,
  allowedSecrets: [],
}
