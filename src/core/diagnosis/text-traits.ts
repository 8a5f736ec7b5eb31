import {
  ATTRIBUTION,
  BY_RULE,
  ID,
  INSTANT,
  ISO_DAY,
  MAYBE_CLOCK,
  MEMORY_HEADING,
  MIDNIGHT,
  RULES,
  STATE_LINE,
} from './text-change.ts'
import type { Verdict } from './verdicts.ts'

/**
 * Forms of a text in which everything of one kind is left out, in this order. Two texts that differ, and have one form in common, differ in that
 * kind alone: so hashes of the forms tell what changed where nobody keeps the text. The last one is the beginning of the text, without digits.
 */
export const TRAITS = ['date', 'clock', 'maybe', 'id', 'state', 'attribution', 'memory', 'head'] as const

export type Trait = (typeof TRAITS)[number]

/** What a change is called whose two texts have a form in common. */
export const BY_TRAIT: readonly { trait: Trait; verdict: Verdict; confidence: number }[] = [
  { trait: 'attribution', verdict: 'attribution_header', confidence: 0.95 },
  { trait: 'date', verdict: 'date_rolled', confidence: 0.85 },
  { trait: 'clock', verdict: 'clock_in_prefix', confidence: 0.92 },
  { trait: 'id', verdict: 'id_in_prefix', confidence: 0.9 },
  { trait: 'state', verdict: 'environment_in_prefix', confidence: 0.88 },
  { trait: 'memory', verdict: 'memory_rewritten', confidence: 0.75 },
  // It may be a clock, or the time at which something opens.
  { trait: 'maybe', verdict: 'clock_in_prefix', confidence: 0.6 },
]

/** Stands for what was left out. */
const GAP = '\u0000'
const HEAD_CHARS = 160

/** The forms of a text, as `TRAITS` orders them. Null: the text has nothing of that kind, so its form would be the text. */
export function formsOf(text: string): (string | null)[] {
  const date = without(text, [...rulesOf('date_rolled'), { pattern: MIDNIGHT }, { pattern: ISO_DAY }])
  // Instants first: a rule may take a time without its seconds.
  const times = without(text, [{ pattern: INSTANT }, ...rulesOf('clock_in_prefix')])
  const clock = without(times, [...rulesOf('date_rolled'), { pattern: MIDNIGHT }, { pattern: ISO_DAY }])
  const forms: Readonly<Record<Trait, string | null>> = {
    date,
    // A time right behind a date is that date's.
    clock: clock.replaceAll(DATED_TIME, GAP),
    maybe: clock.replaceAll(MAYBE_CLOCK, GAP),
    id: without(text, [...rulesOf('id_in_prefix'), { pattern: ID }]),
    state: withoutState(without(text, rulesOf('environment_in_prefix'))),
    attribution: text.replaceAll(ATTRIBUTION, GAP),
    memory: aboveMemory(text),
    head: null,
  }
  const own = TRAITS.map((trait) => (forms[trait] === text ? null : forms[trait]))
  return [...own.slice(0, -1), text.slice(0, HEAD_CHARS).replaceAll(/\d/g, '').toLowerCase()]
}

// oxlint-disable-next-line no-control-regex -- the mark that stands for a date
const DATED_TIME = /\u0000[ T,]{1,3}(?:at )?[0-2]?\d:[0-5]\d(?::[0-5]\d)?/g

interface Rule {
  pattern: RegExp
  confirm?: (found: RegExpExecArray, text: string) => boolean
}

function rulesOf(verdict: Verdict): Rule[] {
  return RULES.filter(({ cause }) => BY_RULE[cause] === verdict)
}

function without(text: string, rules: readonly Rule[]): string {
  return rules.reduce((left, { pattern, confirm }) => {
    if (confirm === undefined) return left.replaceAll(pattern, GAP)
    let kept = ''
    let from = 0
    for (const found of left.matchAll(pattern)) {
      if (!confirm(found, left)) continue
      kept += left.slice(from, found.index) + GAP
      from = found.index + found[0].length
    }
    return kept + left.slice(from)
  }, text)
}

function withoutState(text: string): string {
  return text
    .split('\n')
    .map((line) => (STATE_LINE.test(line) ? GAP : line))
    .join('\n')
}

/** The text in front of the first heading under which remembered text stands; null: it has none. */
function aboveMemory(text: string): string | null {
  let at = 0
  for (const line of text.split('\n')) {
    if (/^[ \t]{0,8}(?:#{1,6} |\*\*|<[a-z])|:[ \t]*$/i.test(line) && MEMORY_HEADING.test(line)) return text.slice(0, at)
    at += line.length + 1
  }
  return null
}
