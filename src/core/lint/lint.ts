import { contextOf, positionOf } from './context.ts'
import { invisibleDifferences } from './invisible-differences.ts'
import { isExempt, TEXT_RULES } from './text-rules.ts'
import type { TextRule } from './text-rules.ts'
import { toolFindings } from './tools.ts'
import type { Part, Piece, Block, PromptView } from './prompt-view.ts'
import type { Finding } from '../model/advice.ts'

/** Characters that are looked at. What stands behind is not: registering must stay quick. */
export const MAX_LOOKED_AT = 512 * 1024
const MAX_PER_CAUSE = 5
/** Less than this behind something volatile costs little. */
const STABLE_CHARACTERS = 400

export function lint(sight: PromptView): Finding[] {
  const found: Finding[] = []
  const volatile: { block: number; finding: Finding; behind: number }[] = []
  let left = MAX_LOOKED_AT
  for (const [index, block] of sight.blocks.entries()) {
    for (const piece of block.pieces) {
      if (left <= 0) break
      const text = piece.text.slice(0, left)
      left -= text.length
      for (const { finding, start, rule } of textFindings({ at: piece.at, text }, block.part)) {
        found.push(finding)
        if (rule?.kind === 'volatile') volatile.push({ block: index, finding, behind: text.length - start })
      }
    }
  }
  const first = volatile[0]
  if (first !== undefined) found.push(...afterVolatile(sight, first))
  found.push(...invisibleDifferences(sight.blocks.flatMap(({ pieces }) => pieces)))
  found.push(...toolFindings(sight.tools), ...markerFindings(sight), ...sizeFindings(sight))
  return few(found)
}

function textFindings(piece: Piece, part: Part): { finding: Finding; start: number; rule: TextRule }[] {
  const { at, text } = piece
  const context = contextOf(text)
  const taken: { start: number; end: number }[] = []
  const found: { finding: Finding; start: number; rule: TextRule }[] = []
  for (const rule of TEXT_RULES) {
    if (part === 'turns' && !rule.inTurns) continue
    let count = 0
    for (const match of text.matchAll(rule.pattern)) {
      const start = match.index + /^[^\p{L}\p{N}<$%{(+?&[-]*/u.exec(match[0])![0].length
      const end = match.index + match[0].length
      if (taken.some((span) => start < span.end && span.start < end)) continue
      if (rule.holds?.(match, text) === false || isExempt(rule, text, context, start)) continue
      taken.push({ start, end })
      found.push({ finding: findingOf(rule, at, text, start), start, rule })
      if (++count >= MAX_PER_CAUSE) break
    }
  }
  return found.toSorted((a, b) => a.start - b.start)
}

function findingOf({ cause, kind, what, fix }: TextRule, at: string, text: string, start: number): Finding {
  const why = {
    volatile: 'What differs between requests makes each of them miss.',
    private: 'It would be stored, and read by everyone who shares the prefix.',
    slip: 'The prefix is not the text that was meant.',
  }[kind]
  return { cause, severity: 'warning', message: `Here stands ${what}. ${why}`, fix, at, ...positionOf(text, start) }
}

/** Said once, for the first: all that follows is lost with it, the markers too. */
function afterVolatile({ blocks }: PromptView, first: { block: number; finding: Finding; behind: number }): Finding[] {
  const { finding, block, behind } = first
  const later = blocks.slice(block + 1).flatMap(({ pieces }) => pieces)
  const follows = later.reduce((sum, { text }) => sum + text.length, behind)
  const found: Finding[] = []
  const place = {
    at: finding.at,
    ...(finding.line === undefined ? {} : { line: finding.line, column: finding.column ?? 1 }),
  }
  if (follows >= STABLE_CHARACTERS) {
    found.push({
      cause: 'volatile_before_stable',
      severity: 'warning',
      message: `About ${follows} characters follow that could stay the same. Each change here makes all of them miss.`,
      fix: 'Put what changes behind everything that does not: last in the prompt, behind the last breakpoint.',
      ...place,
    })
  }
  const marker = blocks.slice(block).find((one) => one.marker !== null)?.marker
  if (marker !== undefined && marker !== null) {
    found.push({
      cause: 'marker_after_volatile',
      severity: 'warning',
      message: `This marker stands behind text that changes (${finding.cause} at ${finding.at}): an entry is written for each request, and none is read.`,
      fix: 'Set the marker on the last block in front of what changes, and move the rest behind it.',
      at: marker.at,
    })
  }
  return found
}

function markerFindings({ blocks, maxMarkers, lookback }: PromptView): Finding[] {
  const found: Finding[] = []
  const marked = blocks.flatMap(({ marker }, index) => (marker === null ? [] : [{ ...marker, index }]))
  const surplus = maxMarkers === null ? undefined : marked[maxMarkers]
  if (surplus !== undefined) {
    found.push({
      cause: 'too_many_breakpoints',
      severity: 'warning',
      message: `The prefix carries ${marked.length} markers; a request with more than ${maxMarkers} is refused.`,
      fix: 'Keep those at the ends of what changes at different times: tools, system prompt, documents, history.',
      at: surplus.at,
    })
  }
  for (const [position, { index, at, rank }] of marked.entries()) {
    const before = marked[position - 1]
    const between = before === undefined ? 0 : positions(blocks.slice(before.index + 1, index + 1))
    if (lookback !== null && between > lookback) {
      found.push({
        cause: 'distant_breakpoint',
        severity: 'warning',
        message: `${between} blocks lie between this marker and the one in front of it. A lookup goes back ${lookback}: where the text in between changes, the earlier entry is not found.`,
        fix: `Set a marker at least every ${lookback} blocks, or join blocks.`,
        at,
      })
    }
    if (before !== undefined && rank > before.rank) {
      found.push({
        cause: 'retention_order',
        severity: 'warning',
        message: 'This marker asks for a longer life than one in front of it, which is refused.',
        fix: 'Give the markers in front the same retention, or a longer one.',
        at,
      })
    }
  }
  return found
}

function positions(blocks: readonly Block[]): number {
  return blocks.filter(({ run }, index) => run === null || run !== blocks[index - 1]?.run).length
}

function sizeFindings({ blocks, estimatedTokens, minimumTokens }: PromptView): Finding[] {
  if (minimumTokens === null || estimatedTokens >= minimumTokens) return []
  return [
    {
      cause: 'below_minimum',
      severity: 'warning',
      message: `The prefix has about ${estimatedTokens} tokens; this model caches from ${minimumTokens}. Below that nothing is kept, and no error says so.`,
      fix: 'Move more of what stays the same in front of the breakpoint, or do without a cache.',
      at: blocks.at(-1)?.at ?? '',
    },
  ]
}

/** A few of each: the same slip a thousand times is one slip. */
function few(found: readonly Finding[]): Finding[] {
  const counts = new Map<string, number>()
  return found.filter(({ cause }) => {
    const count = (counts.get(cause) ?? 0) + 1
    counts.set(cause, count)
    return count <= MAX_PER_CAUSE
  })
}
