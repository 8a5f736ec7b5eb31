import { commonLength, firstDifference } from '../prompt/first-difference.ts'
import type { FirstDifference } from '../prompt/first-difference.ts'
import type { Verdict } from './verdicts.ts'

/** What kind of text changed, and where. */
export interface TextChange {
  verdict: Verdict
  confidence: number
  first: FirstDifference
}

/** Where a text stands. `turns`: in an earlier turn of the conversation; `tools`: in the definition of a tool. */
export type Where = 'system' | 'tools' | 'turns'

const MONTH = '(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}'
const WEEKDAY = '(?:mon|tues|wednes|thurs|fri|satur|sun)day|\\b(?:mon|tue|wed|thu|fri|sat|sun)\\b'

/** A time of the day, with or without its date, and seconds or milliseconds since 1970. */
const CLOCK =
  /\b(?:19|20)\d\d-[01]\d-[0-3]\d[T ][0-2]\d:?[0-5]\d(?::?[0-5]\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?|(?<![\d:.])[0-2]?\d:[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?(?: ?[ap]\.?m\b\.?)?|(?<![\d.])1[5-9]\d{8}(?:\.\d{1,9}|\d{3}(?:\d{3})?)?(?![\d])|\b\d{1,2} ?[ap]m\b/gi

const DATE = new RegExp(
  `\\b(?:19|20)\\d\\d[-/.][01]?\\d[-/.][0-3]?\\d\\b|\\b(?:19|20)\\d\\d[01]\\d[0-3]\\d\\b|\\b\\d{1,2}[./-]\\d{1,2}[./-](?:19|20)?\\d\\d\\b|(?:(?:${WEEKDAY})\\w{0,4},? )?\\b(?:${MONTH}\\.? \\d{1,2}(?:st|nd|rd|th)?(?:,? (?:19|20)\\d\\d)?|\\d{1,2}(?:st|nd|rd|th)?\\.? ${MONTH}\\.?(?:,? (?:19|20)\\d\\d)?)\\b|(?:19|20)\\d\\d ?年 ?\\d{1,2} ?月 ?\\d{1,2} ?日|${WEEKDAY}`,
  'gi',
)

const ID =
  /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[a-z]{1,12}[-_](?=[a-z0-9]*\d)[a-z0-9]{6,}\b|(?<![\w])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,64}(?![\w])|(?<![\w])(?=[A-Za-z0-9]*\d)(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{12,}(?![\w])/gi

/** The line of a coding agent about its build and a checksum of the request. Source: issues 50085 and 24168 of its project; checked 2026-11-30. */
const ATTRIBUTION = /x-[a-z]{1,20}-billing-header|\bcc_version=|\bcch=/i

/** Words in front of a value, or around it on its line, that say what it is. */
const NAMES_ID =
  /(?:\b(?:session|request|trace|span|thread|chat|conversation|correlation|run|job|task|user|customer|account|tenant|device|message|msg|ticket|order|invocation|call|instance|container|nonce|uuid|guid|seed|salt|cache[-_ ]?bust(?:er)?|random|token|ref(?:erence)?)\b|\b\w{0,20}[-_ ]?id\b|#)[^\n]{0,24}$/i

const NAMES_ENVIRONMENT =
  /\b(?:git[-_ ]?status|branch|commits?|modified:|untracked|working[-_ ](?:dir|directory|tree)|cwd|pwd|directory|hostname|host|pid|process|uptime|platform|os version|operating system|kernel|load|memory used|disk|free space|shell|terminal|open files?|active (?:file|tab)|workspace|iterations?|step|turn|attempt|tokens?(?: used| left| remaining)?|usage|budget|context (?:used|left|remaining|window)|cost|spent|remaining|elapsed|messages so far|count(?:er)?|cursor|battery|files changed|version|build)\b/i

const NAMES_MEMORY =
  /\b(?:memor(?:y|ies)|remember(?:ed)?|recall(?:ed)?|retriev(?:ed|al)|relevant|knowledge|search results?|passages?|snippets?|documents?|sources?|citations?|user profile|preferences|facts about|what (?:we|you|i) know|learned|notes?|rag|context)\b/i

/** Words by which a turn says that it stands for earlier ones. */
const NAMES_SUMMARY = /\b(?:summary|summari[sz]ed|compact(?:ed|ion)?|truncated|omitted|elided|condensed|cleared)\b/i

/** Tells what kind of text changed. `path` names the text. */
export function textChange(path: string, before: string, after: string, where: Where): TextChange {
  const first = firstDifference(path, before, after)
  const at = commonLength(before, after)
  const [line, otherLine] = [lineAround(before, at), lineAround(after, at)]
  const told = (verdict: Verdict, confidence: number): TextChange => ({ verdict, confidence, first })
  if (ATTRIBUTION.test(line) || ATTRIBUTION.test(otherLine)) return told('attribution_header', 0.97)

  const isEnvironment = environmentAt(before, after, at)
  const same = (...patterns: RegExp[]): boolean => masked(before, patterns) === masked(after, patterns)
  if (!isEnvironment) {
    // What differs in nothing but its times is sure; elsewhere the first difference decides.
    if (same(CLOCK)) return told(isMidnight(before, after, at) ? 'date_rolled' : 'clock_in_prefix', 0.97)
    if (same(DATE)) return told('date_rolled', 0.96)
    if (same(CLOCK, DATE)) return told('clock_in_prefix', 0.95)
    if (same(ID) && isIdPair(before, after, at)) return told('id_in_prefix', 0.95)
    const kind = kindAt(before, after, at)
    if (kind !== null) return told(kind, 0.85)
  }
  if (isEnvironment) return told('environment_in_prefix', 0.9)
  if (where === 'turns') {
    const isSummary = NAMES_SUMMARY.test(after.slice(0, 2_000)) && !NAMES_SUMMARY.test(before.slice(0, 2_000))
    return told('history_rewritten', isSummary ? 0.95 : 0.88)
  }
  if (where === 'tools') return told('tool_schema_changed', 0.92)
  if (isUnderMemory(before, at) || isUnderMemory(after, at)) return told('memory_rewritten', 0.85)
  return told('text_changed', 0.85)
}

/** The kind of the values that both texts have at their first difference; null: none, or different ones. */
function kindAt(before: string, after: string, at: number): Verdict | null {
  const both = (pattern: RegExp): boolean => covers(before, at, pattern) && covers(after, at, pattern)
  if (both(CLOCK)) return 'clock_in_prefix'
  if (both(DATE)) return clockFollows(before, after, at) ? 'clock_in_prefix' : 'date_rolled'
  if (isIdPair(before, after, at)) return 'id_in_prefix'
  return null
}

/** Whether a time of the day differs right behind a date that differs. */
function clockFollows(before: string, after: string, at: number): boolean {
  const rest = (text: string): string | undefined => CLOCK_ONCE.exec(text.slice(at, at + 40))?.[0]
  const [one, other] = [rest(before), rest(after)]
  return one !== undefined && other !== undefined && one !== other
}
const CLOCK_ONCE = new RegExp(CLOCK.source, 'i')

/** Whether two stamps that differ say the same time of different days: a day that is written as its midnight. */
function isMidnight(before: string, after: string, at: number): boolean {
  const [one, other] = [before, after].map((text) => spanAt(text, at, CLOCK))
  if (one === undefined || other === undefined || one === null || other === null) return false
  const time = (stamp: string): string => stamp.slice(10)
  return /^\d{4}-\d\d-\d\d/.test(one) && one.length > 10 && time(one) === time(other)
}

function isIdPair(before: string, after: string, at: number): boolean {
  const [one, other] = [wordAt(before, at), wordAt(after, at)]
  if (one === '' || other === '') return false
  const isNamed = NAMES_ID.test(lineBefore(before, Math.min(at, wordStart(before, at))))
  if (isNamed && /\d/.test(one) && /\d/.test(other)) return true
  if (covers(before, at, ID) && covers(after, at, ID)) return isNamed || one.length === other.length || one.length >= 16
  return false
}

function environmentAt(before: string, after: string, at: number): boolean {
  // A section of the machine's state: the line itself, or the heading above it.
  const [line, otherLine] = [lineAround(before, at), lineAround(after, at)]
  const heading = headingAbove(before, at)
  if (/\b(?:git[-_ ]?status|current branch|recent commits?|status:)/i.test(heading)) return true
  const [front, otherFront] = [line, otherLine].map((text) => text.slice(0, 120))
  const isNamed = NAMES_ENVIRONMENT.test(front ?? '') && NAMES_ENVIRONMENT.test(otherFront ?? '')
  if (!isNamed) return false
  const [one, other] = [wordAt(before, at), wordAt(after, at)]
  // A sentence that merely has such a word is a text: the value has to look like a state.
  const isState = (word: string): boolean => /^[~./\\\w:-]*[/\\][\w./\\-]*$|\d/.test(word)
  const isLabelled =
    /[:=>]\s{0,3}[^\s:=>]*$/.test(line.slice(0, Math.max(0, at - lineStart(before, at)))) ||
    isState(one) ||
    isState(other)
  const isTime = covers(before, at, CLOCK) || (covers(before, at, DATE) && !/commit/i.test(line))
  return isLabelled && !isTime
}

function isUnderMemory(text: string, at: number): boolean {
  return NAMES_MEMORY.test(headingAbove(text, at)) || NAMES_MEMORY.test(lineAround(text, at).slice(0, 60))
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

/** Puts one sign in the place of each value of a kind. */
function masked(text: string, patterns: readonly RegExp[]): string {
  return patterns.reduce((rest, pattern) => rest.replaceAll(pattern, '\u0000'), text)
}

function covers(text: string, at: number, pattern: RegExp): boolean {
  return spanAt(text, at, pattern) !== null
}

const WINDOW = 80

function spanAt(text: string, at: number, pattern: RegExp): string | null {
  const from = Math.max(0, at - WINDOW)
  for (const { index, 0: found } of text.slice(from, at + WINDOW).matchAll(pattern)) {
    if (from + index <= at && at <= from + index + found.length) return found
  }
  return null
}

const IN_WORD = /[\p{L}\p{N}_.:/\\~+-]/u

function wordStart(text: string, at: number): number {
  let start = at
  while (start > 0 && at - start < 200 && IN_WORD.test(text[start - 1] ?? '')) start--
  return start
}

function wordAt(text: string, at: number): string {
  let end = at
  while (end < text.length && end - at < 200 && IN_WORD.test(text[end] ?? '')) end++
  return text.slice(wordStart(text, at), end)
}

function lineStart(text: string, at: number): number {
  return text.lastIndexOf('\n', at - 1) + 1
}

function lineBefore(text: string, at: number): string {
  return text.slice(Math.max(lineStart(text, at), at - 200), at)
}

function lineAround(text: string, at: number): string {
  const end = text.indexOf('\n', at)
  return text.slice(lineStart(text, at), end === -1 ? undefined : end).slice(0, 1_000)
}
