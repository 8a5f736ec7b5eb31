import type { LintSetting } from '../../contract/account.ts'
import type { WarmBody } from '../../contract/warm.ts'

/** What happens with findings, from the laxest to the strictest. `secrets`: they are listed, and secrets refused. */
export const LINT_POLICIES = ['off', 'advise', 'secrets', 'refuse'] as const

export type LintPolicy = (typeof LINT_POLICIES)[number]

const ASKED = { off: 'off', advice: 'advise', error: 'refuse' } as const

/** The policy for a body: the stricter of its own wish and the setting of its account. Where neither says anything, secrets are refused. */
export function lintPolicy(wish: WarmBody['lint'], setting: LintSetting): LintPolicy {
  const own = wish === undefined ? null : ASKED[wish]
  if (own === null || setting === null) return own ?? setting ?? 'secrets'
  return LINT_POLICIES.indexOf(own) > LINT_POLICIES.indexOf(setting) ? own : setting
}
