import type { HistoryRow, ReceiptRow } from '../../../core/prefix/history.ts'
import type { Usage } from '../../../core/model/usage.ts'

/**
 * Text form of the history, one row a line. Receipts are the most frequent rows, and the tail is written again with every new row,
 * so a receipt is a list without member names. Every other row is plain JSON.
 */
export function linesOf(rows: readonly HistoryRow[]): string {
  let text = ''
  for (const row of rows) text += `${JSON.stringify(row.type === 'receipt' ? listOf(row) : row)}\n`
  return text
}

export function rowsOf(text: string): HistoryRow[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(rowOf)
}

/** Last row of the given lines. */
export function lastRowOf(text: string): HistoryRow {
  return rowOf(text.slice(text.lastIndexOf('\n', text.length - 2) + 1))
}

type UsageList = [
  input: number | null,
  uncached: number | null,
  read: number | null,
  write: number | null,
  output: number | null,
  reasoning: number | null,
  writeByRetention?: Record<string, number>,
]
type ReceiptList = [
  at: number,
  kind: ReceiptRow['kind'],
  purpose: ReceiptRow['purpose'],
  primitive: ReceiptRow['primitive'],
  usage: UsageList | null,
  costNanos: number | null,
  latencyMs: number,
  model: string | null,
  why: string,
]

function listOf(row: ReceiptRow): ReceiptList {
  const { at, kind, purpose, primitive, usage, costNanos, latencyMs, model, why } = row
  return [at, kind, purpose, primitive, usage === null ? null : usageList(usage), costNanos, latencyMs, model, why]
}

function usageList(usage: Usage): UsageList {
  const { inputTokens, uncachedTokens, cacheReadTokens, cacheWriteTokens, outputTokens, reasoningTokens } = usage
  const list: UsageList = [
    inputTokens,
    uncachedTokens,
    cacheReadTokens,
    cacheWriteTokens,
    outputTokens,
    reasoningTokens,
  ]
  if (Object.keys(usage.cacheWriteByRetention).length > 0) list.push(usage.cacheWriteByRetention)
  return list
}

function rowOf(line: string): HistoryRow {
  const read = JSON.parse(line) as HistoryRow | ReceiptList
  if (!Array.isArray(read)) return read
  const [at, kind, purpose, primitive, used, costNanos, latencyMs, model, why] = read
  return {
    at,
    type: 'receipt',
    kind,
    purpose,
    primitive,
    usage: used === null ? null : usageOf(used),
    costNanos,
    latencyMs,
    model,
    why,
  }
}

function usageOf(list: UsageList): Usage {
  const [
    inputTokens,
    uncachedTokens,
    cacheReadTokens,
    cacheWriteTokens,
    outputTokens,
    reasoningTokens,
    byRetention = {},
  ] = list
  return {
    inputTokens,
    uncachedTokens,
    cacheReadTokens,
    cacheWriteTokens,
    cacheWriteByRetention: byRetention,
    outputTokens,
    reasoningTokens,
  }
}
