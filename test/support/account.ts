import type { AccountSettings } from '../../src/durable/records.ts'
import { NOON } from '../core/sample.ts'

/** An account without a budget of its own, its switches off. */
export const settings: AccountSettings = {
  account: 'test',
  createdAt: NOON,
  budgetNanosPerDay: null,
  killSwitch: false,
  globalKillSwitch: false,
  allowedSecrets: [],
}
