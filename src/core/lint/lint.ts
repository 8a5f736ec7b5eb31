import { contextOf, positionOf } from './context.ts'
import { invisibleDifferences } from './invisible-differences.ts'
import { isExempt, TEXT_RULES } from './text-rules.ts'
import type { TextRule } from './text-rules.ts'
import { toolFindings } from './tools.ts'
import type { Part, Piece, Block, PromptView } from './prompt-view.ts'
import type { Finding } from '../model/advice.ts'

/** Characters of a prefix that lint reads. It skips the rest, so that registration stays fast. */
export const MAX_LINT_CHARACTERS = 512 * 1024
/** Findings of one cause that are reported. */
const MAX_PER_CAUSE = 5
/** Stable characters after volatile text from which their loss is reported. */
const STABLE_CHARACTERS = 400

/** Looks for what makes a prefix miss, and for what should not be stored in one. */
export function lint(prompt: PromptView): Finding[] {
  const found: Finding[] = []
  const volatile: { block: number; finding: Finding; following: number }[] = []
  let left = MAX_LINT_CHARACTERS
  for (const [index, block] of prompt.blocks.entries()) {
    for (const piece of block.pieces) {
      if (left <= 0) break
      const text = piece.text.slice(0, left)
      left -= text.length
      for (const { finding, start, rule } of textFindings({ at: piece.at, text }, block.part)) {
        found.push(finding)
        if (rule?.kind === 'volatile') volatile.push({ block: index, finding, following: text.length - start })
      }
    }
  }
  const first = volatile[0]
  if (first !== undefined) found.push(...afterVolatile(prompt, first))
  found.push(...invisibleDifferences(prompt.blocks.flatMap(({ pieces }) => pieces)))
  found.push(...toolFindings(prompt.tools), ...markerFindings(prompt), ...sizeFindings(prompt))
  return firstOfEachCause(found)
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
      if (rule.confirm?.(match, text) === false || isExempt(rule, text, context, start)) continue
      taken.push({ start, end })
      found.push({ finding: findingOf(rule, at, text, start), start, rule })
      if (++count >= MAX_PER_CAUSE) break
    }
  }
  return found.toSorted((a, b) => a.start - b.start)
}

function findingOf({ cause, kind, what, fix }: TextRule, at: string, text: string, start: number): Finding {
  const why = {
    volatile: 'Text that differs between requests makes each of them miss.',
    private: 'The prefix is stored, and everyone who shares it could read this text.',
    mistake: 'The prefix is probably not the intended text.',
  }[kind]
  return {
    cause,
    severity: 'warning',
    message: `The text contains ${what}. ${why}`,
    fix,
    at,
    ...positionOf(text, start),
  }
}

/** Reports once, for the first volatile text, what it makes useless: the stable text and the markers after it. */
function afterVolatile(
  { blocks }: PromptView,
  first: { block: number; finding: Finding; following: number },
): Finding[] {
  const { finding, block, following } = first
  const later = blocks.slice(block + 1).flatMap(({ pieces }) => pieces)
  const follows = later.reduce((sum, { text }) => sum + text.length, following)
  const found: Finding[] = []
  const place = {
    at: finding.at,
    ...(finding.line === undefined ? {} : { line: finding.line, column: finding.column ?? 1 }),
  }
  if (follows >= STABLE_CHARACTERS) {
    found.push({
      cause: 'volatile_before_stable',
      severity: 'warning',
      message: `About ${follows} characters after it could stay the same. Each change here makes all of them miss.`,
      fix: 'Move what changes to the end of the prompt, after the last breakpoint.',
      ...place,
    })
  }
  const marker = blocks.slice(block).find((one) => one.marker !== null)?.marker
  if (marker !== undefined && marker !== null) {
    found.push({
      cause: 'marker_after_volatile',
      severity: 'warning',
      message: `This marker follows text that changes (${finding.cause} at ${finding.at}): each request writes an entry, and no request reads one.`,
      fix: 'Set the marker on the last block before what changes, and move the changing text after it.',
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
      message: `The prefix has ${marked.length} markers; the provider refuses a request with more than ${maxMarkers}.`,
      fix: 'Keep the markers at the ends of parts that change at different times: tools, system prompt, documents, history.',
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
        message: `There are ${between} blocks between this marker and the one before it, and a lookup goes back ${lookback}. If the text between them changes, the earlier entry is not found.`,
        fix: `Set a marker at least every ${lookback} blocks, or join blocks.`,
        at,
      })
    }
    if (before !== undefined && rank > before.rank) {
      found.push({
        cause: 'retention_order',
        severity: 'warning',
        message: 'This marker asks for a longer retention than an earlier one. The provider refuses that.',
        fix: 'Give the earlier markers the same retention, or a longer one.',
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
      message: `The prefix has about ${estimatedTokens} tokens; this model caches from ${minimumTokens} on. Below that the provider stores nothing and reports no error.`,
      fix: 'Move more stable text before the breakpoint, or do not cache this prefix.',
      at: blocks.at(-1)?.at ?? '',
    },
  ]
}

/** Keeps the first findings of each cause. */
function firstOfEachCause(found: readonly Finding[]): Finding[] {
  const counts = new Map<string, number>()
  return found.filter(({ cause }) => {
    const count = (counts.get(cause) ?? 0) + 1
    counts.set(cause, count)
    return count <= MAX_PER_CAUSE
  })
}
