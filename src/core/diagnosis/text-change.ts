import { commonLength, firstDifference } from '../prompt/first-difference.ts'
import type { FirstDifference } from '../prompt/first-difference.ts'
import { TEXT_RULES } from '../lint/text-rules.ts'
import { DAY_MS } from '../time/time.ts'
import type { Verdict } from './verdicts.ts'

/** What kind of text changed, and where. */
export interface TextChange {
  verdict: Verdict
  confidence: number
  first: FirstDifference
}

/** Where a text stands. `turns`: in an earlier turn of the conversation; `tools`: in the definition of a tool. */
export type Where = 'system' | 'tools' | 'turns'

/** Rules of lint that know what changes by itself, and what such a change is called. */
export const BY_RULE: Readonly<Record<string, Verdict>> = {
  timestamp: 'clock_in_prefix',
  date: 'date_rolled',
  uuid: 'id_in_prefix',
  session_id: 'id_in_prefix',
  request_id: 'id_in_prefix',
  user_id: 'id_in_prefix',
  random_seed: 'id_in_prefix',
  memory_address: 'id_in_prefix',
  signed_url: 'id_in_prefix',
  counter: 'environment_in_prefix',
  environment: 'environment_in_prefix',
}
export const RULES = TEXT_RULES.filter(({ cause }) => Object.hasOwn(BY_RULE, cause))

/** An instant with its seconds. */
export const INSTANT =
  /\b(?:19|20)\d\d-[01]\d-[0-3]\d[T ][0-2]\d:[0-5]\d:[0-5]\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?|(?<![\d:.])[0-2]?\d:[0-5]\d:[0-5]\d(?:[.,]\d{1,9})?(?![\d:])/gi
export const MIDNIGHT = /\b(?:19|20)\d\d-[01]\d-[0-3]\d[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]00:?00)?/gi
/** A time that may be a clock's, or the time at which something opens. */
export const MAYBE_CLOCK = /(?<![\d:.])[0-2]?\d:[0-5]\d(?! ?[\d:])|(?<![\d.])1[5-9]\d{8}(?:\d{3})?(?!\d)/gi
export const ISO_DAY = /\b(?:19|20)\d\d([-/])[01]\d\1[0-3]\d\b(?![T ]\d)/g
/** Two days of a session that goes on are not further apart. */
const NEAR_DAYS = 7

export const ID =
  /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b(?:sess?|session|req|run|msg|conv|thread|trace|chat|job|task|call|user|usr|ses)[-_](?=[a-z0-9]*\d)[a-z0-9]{6,}\b|(?<![\w-])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{10,64}(?![\w-])/gi

/** The line of a coding agent about its build and a checksum of the request. Source: issues 50085 and 24168 of its project; checked 2026-11-30. */
export const ATTRIBUTION = /x-[a-z]{1,20}-billing-header:[^\n"]{0,300}/gi

/** A label at the beginning of a line, and the value behind it. */
export const STATE_LINE =
  /^[ \t*#>-]{0,8}(?:(?:current |git )?branch|git status|status|(?:recent|last|latest) commits?|(?:current )?working (?:dir(?:ectory)?|tree)|cwd|pwd|hostname|pid|uptime|tokens? (?:used|left|remaining)[^\n:=]{0,12}|context (?:used|left|remaining)|iteration|attempt|messages so far|open files?|active file|modified|untracked)\s{0,3}[:=]/i
const STATE_HEADING = /\b(?:git[-_ ]?status|current branch|recent commits?)\b/i

export const MEMORY_HEADING =
  /<(?:[a-z-]{0,20})(?:memor(?:y|ies)|retrieved|recall|rag)\b|\b(?:memor(?:y|ies)|remembered|recalled|retrieved|relevant (?:documents?|passages?|snippets?|context|memories|information)|search results?|user profile|facts about the user)\b/i

/** Words by which a turn says that it stands for earlier ones. */
const NAMES_SUMMARY = /\b(?:summary|summari[sz]ed|compact(?:ed|ion)?|truncated|omitted|elided|condensed|cleared)\b/i

/** Tells what kind of text changed. `path` names the text. */
export function textChange(path: string, before: string, after: string, where: Where): TextChange {
  const first = firstDifference(path, before, after)
  const at = commonLength(before, after)
  const told = (verdict: Verdict, confidence: number): TextChange => ({ verdict, confidence, first })
  const both = (pattern: RegExp): boolean => covers(before, at, pattern) && covers(after, at, pattern)
  if (both(ATTRIBUTION)) return told('attribution_header', 0.97)
  if (isStateAt(before, at) && isStateAt(after, at)) return told('environment_in_prefix', 0.92)
  const kind = kindByRules(before, after, at)
  if (kind !== null) return told(kind, 0.95)
  if (both(MAYBE_CLOCK) && isBehindDate(before, at)) return told('clock_in_prefix', 0.88)
  if (both(MIDNIGHT) && areNear(before, after, at)) return told('date_rolled', 0.92)
  if (both(INSTANT)) return told('clock_in_prefix', 0.88)
  if (both(ISO_DAY) && areNear(before, after, at)) return told('date_rolled', 0.82)
  if (both(ID) && spanAt(before, at, ID)?.length === spanAt(after, at, ID)?.length) return told('id_in_prefix', 0.88)
  if (where === 'turns') {
    const isSummary = NAMES_SUMMARY.test(after.slice(0, 2_000)) && !NAMES_SUMMARY.test(before.slice(0, 2_000))
    return told('history_rewritten', isSummary ? 0.95 : 0.88)
  }
  if (where === 'tools') return told('tool_schema_changed', 0.92)
  if (isUnderMemory(before, at) || isUnderMemory(after, at)) return told('memory_rewritten', 0.85)
  // A time without a word that says whose it is may be a clock's: nothing decides.
  return told('text_changed', both(MAYBE_CLOCK) ? 0.6 : 0.85)
}

/** The kind of the values at the first difference, where lint takes both for what changes by itself. */
function kindByRules(before: string, after: string, at: number): Verdict | null {
  const [ours, theirs] = [verdictsAt(before, at), verdictsAt(after, at)]
  const found = ours.filter((verdict) => theirs.includes(verdict))
  // A date with its time is a clock, if the time changed too or alone.
  if (found.includes('date_rolled') && clockFollows(before, after, at)) return 'clock_in_prefix'
  if (found.includes('clock_in_prefix') && isMidnightOf(before, after, at)) return 'date_rolled'
  return found[0] ?? null
}

function verdictsAt(text: string, at: number): Verdict[] {
  const from = Math.max(0, text.lastIndexOf('\n', Math.max(0, at - RULE_WINDOW)) + 1, at - 2 * RULE_WINDOW)
  const window = text.slice(from, at + RULE_WINDOW)
  const place = at - from
  return RULES.flatMap(({ cause, pattern, confirm }) => {
    for (const found of window.matchAll(pattern)) {
      const [match] = found
      const isInFront = found.index > place && /^[\p{L},. ]{1,16}$/u.test(window.slice(place, found.index))
      if ((found.index > place && !isInFront) || found.index + match.length < place) continue
      if (confirm === undefined || confirm(found, window)) return BY_RULE[cause] ?? []
    }
    return []
  })
}

/** Whether a time stands right behind a date that lint takes for today's. */
function isBehindDate(text: string, at: number): boolean {
  const start = Math.max(text.lastIndexOf(' ', at), 0)
  return verdictsAt(text, start - 1).includes('date_rolled')
}

/** Characters around a difference in which rules look. */
const RULE_WINDOW = 400

/** Whether a time of the day differs right behind a date that differs. */
function clockFollows(before: string, after: string, at: number): boolean {
  const rest = (text: string): string | undefined => CLOCK_ONCE.exec(text.slice(at, at + 40))?.[0]
  const [one, other] = [rest(before), rest(after)]
  return one !== undefined && other !== undefined && one !== other
}
const CLOCK_ONCE = /(?<!\d)[0-2]?\d:[0-5]\d(?::[0-5]\d)?/

function isMidnightOf(before: string, after: string, at: number): boolean {
  return covers(before, at, MIDNIGHT) && covers(after, at, MIDNIGHT)
}

/** Whether two dates are days of one session, the later one in the later request. */
function areNear(before: string, after: string, at: number): boolean {
  const day = (text: string): number =>
    Date.parse((spanAt(text, at, MIDNIGHT) ?? spanAt(text, at, ISO_DAY) ?? '').slice(0, 10))
  const apart = day(after) - day(before)
  return apart > 0 && apart <= NEAR_DAYS * DAY_MS
}

/** Whether a place is in a line, or under a heading, that tells the state of the machine. */
function isStateAt(text: string, at: number): boolean {
  const start = lineStart(text, at)
  return STATE_LINE.test(text.slice(start, Math.max(start, at) + 40)) || STATE_HEADING.test(headingAbove(text, at))
}

function isUnderMemory(text: string, at: number): boolean {
  return MEMORY_HEADING.test(headingAbove(text, at))
}

/** The nearest heading or opening tag at or above a place, at most 4,000 characters in front of it. */
function headingAbove(text: string, at: number): string {
  const above = text.slice(Math.max(0, at - 4_000), at)
  const found = [
    ...above.matchAll(
      /(?:^|\n)[ \t]{0,8}(?:#{1,6} [^\n]{1,120}|\*\*[^*\n]{1,80}\*\*:?|[^\n]{1,80}:)(?=[ \t]*\n|$)|<([a-z][\w-]{1,40})(?:\s[^<>\n]{0,200})?>/gi,
    ),
  ]
  return found.at(-1)?.[0] ?? ''
}

function covers(text: string, at: number, pattern: RegExp): boolean {
  return spanAt(text, at, pattern) !== null
}

const WINDOW = 320

function spanAt(text: string, at: number, pattern: RegExp): string | null {
  const from = Math.max(0, at - WINDOW)
  for (const { index, 0: found } of text.slice(from, at + WINDOW).matchAll(pattern)) {
    if (from + index <= at && at <= from + index + found.length) return found
  }
  return null
}

function lineStart(text: string, at: number): number {
  return text.lastIndexOf('\n', at - 1) + 1
}
