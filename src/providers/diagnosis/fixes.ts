import { VERDICTS } from '../../core/diagnosis/verdicts.ts'
import type { Verdict } from '../../core/diagnosis/verdicts.ts'

/** What to do, where the program that does it is known. Source: github.com/anthropics/claude-code, issue 50085; checked 2026-11-30. */
const FIXES: Partial<Record<Verdict, string>> = {
  attribution_header: 'Set CLAUDE_CODE_ATTRIBUTION_HEADER=0 in the environment of Claude Code.',
}

/** Sentence: what to do about a miss; empty where nothing is to be done. */
export function fixOf(verdict: Verdict): string {
  return FIXES[verdict] ?? VERDICTS[verdict].fix
}
