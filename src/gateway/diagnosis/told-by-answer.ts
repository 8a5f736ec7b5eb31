import { readReported } from '../../providers/diagnosis/reported.ts'
import type { CallFacts } from '../../registration/misses/passed-call.ts'
import { diagnosticsIn } from '../../usage/diagnostics.ts'
import type { KeptText } from '../../usage/ends.ts'
import { upstreamIn } from '../../usage/find.ts'
import type { Framing } from '../../usage/find.ts'

/** What an answer says of a miss, beside its counts. */
export type ToldByAnswer = Pick<CallFacts, 'upstream' | 'unsaid' | 'impossible' | 'reported'>

/** Reads it. `raw`: its usage object; null: it has none. */
export function toldBy(
  text: KeptText,
  framing: Framing,
  raw: Record<string, unknown> | null,
  isPossible: boolean,
): ToldByAnswer {
  const upstream = raw?.['provider'] ?? upstreamIn(text, framing)
  const reported = readReported(diagnosticsIn(text))
  return {
    ...(typeof upstream === 'string' && /^[\w .()/-]{1,60}$/.test(upstream) ? { upstream } : {}),
    ...(raw !== null && !/cach/i.test(JSON.stringify(raw)) ? { unsaid: true } : {}),
    ...(isPossible ? {} : { impossible: true }),
    ...(reported === null ? {} : { reported: [reported.reason, reported.missedTokens] }),
  }
}

/** The id of an answer, which stands in front of the ids of its parts; null: it has none that can be named again. */
export function answerIdIn({ head }: KeptText): string | null {
  return /(?<!\\)"id"\s*:\s*"([\w-]{1,200})"/.exec(head)?.[1] ?? null
}
