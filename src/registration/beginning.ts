import type { LintPolicy } from '../core/lint/policy.ts'
import type { Finding } from '../core/model/advice.ts'
import type { Card } from '../providers/card.ts'
import type { NeutralRequest } from '../providers/dialect.ts'
import { lintPrefix } from '../providers/lint/lint.ts'
import { fewOf, lintNeutral } from './findings.ts'
import { refuseFindings, refuseSecrets } from './refuse.ts'

/** What a bot, or a managed cache, begins its prompts with. Its length is no matter: turns follow. */
export type Beginning =
  | { native: string; at: string }
  /** `systemAt`: JSON pointer of the system prompt in what the caller wrote. */
  | { neutral: Pick<NeutralRequest, 'system' | 'tools' | 'messages'>; systemAt: string }

/** Lints a beginning as `policy` says. Throws `invalid_request` where it refuses what was found. */
export function checkedBeginning(card: Card, beginning: Beginning, policy: LintPolicy): readonly Finding[] {
  if (policy === 'off') return []
  const found =
    'native' in beginning
      ? lintPrefix(card, { text: beginning.native, ...UNSIZED, cacheKey: null }, UNSIZED, beginning.at)
      : lintNeutral(beginning.neutral, UNSIZED, UNSIZED, beginning.systemAt)
  if (policy === 'refuse') refuseFindings(found, [])
  if (policy === 'secrets') refuseSecrets(found)
  return fewOf(found)
}

const UNSIZED = { estimatedTokens: 0, minimumTokens: null }
