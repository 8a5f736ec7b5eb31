import { isConditional, lineBefore } from './context.ts'
import { SKIPPED } from './rule.ts'
import type { TextRule } from './rule.ts'

const MONTH = '(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zäéûç]{0,6}\\.?'
/** A month in full or in short, for days without a year: "march 3 miles" is none. */
const MONTH_NAME =
  '(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)'
const MONTH_DAY = `(?:${MONTH_NAME}\\.? \\d{1,2}(?:st|nd|rd|th)?|\\d{1,2}\\.? ${MONTH_NAME})`
const DAY_OF_MONTH = new RegExp(`^${MONTH_DAY}$`, 'i')
const DAY = '(?:mon|tues|wednes|thurs|fri|satur|sun)day'
const DATE = `(?:(?:19|20)\\d\\d[-/.][01]\\d[-/.][0-3]\\d|\\d{1,2}[./-]\\d{1,2}[./-](?:19|20)?\\d\\d|${MONTH} \\d{1,2}(?:st|nd|rd|th)?,? (?:19|20)\\d\\d|\\d{1,2}\\.? (?:de )?${MONTH},? (?:de )?(?:19|20)\\d\\d|(?:19|20)\\d\\d ?年 ?\\d{1,2} ?月 ?\\d{1,2} ?日|(?:19|20)\\d\\d년 \\d{1,2}월 \\d{1,2}일)`
const WEEKDAY =
  '(?:\\p{L}{2,9}(?:day|tag|dag)|(?:mon|tues?|wed|thur?s?|fri|sat|sun)\\.?|mittwoch|\\p{L}{3,6}di|dimanche|lunes|martes|miércoles|jueves|viernes|s[áa]bado|domingo|\\p{L}{5,7}-feira|\\p{L}{4,7}dì|sabato|domenica)'
const TODAY =
  "(?:today(?:['’]?s)?(?:[-_ ]?date)?|(?:current|present|system)[-_ ]?date(?:[-_ ]?(?:and[-_ ]?)?time)?|now(?=[\"'`]?\\s?[:=>])|date today|date & time|heute|heutiges datum|aktuelles datum|aujourd['’]hui|date (?:du jour|actuelle)|hoy|fecha (?:actual|de hoy)|oggi|data (?:odierna|di oggi|de hoje|atual)|hoje|vandaag|bugün|dziś|сегодня|今日|本日|今天|当前日期|现在|오늘)"
const NOW =
  "(?:current[-_ ]?(?:date[-_ ]?(?:and[-_ ]?)?)?time|(?:local|server|system)[-_ ]?time|time now|(?:it is|it's) now|uhrzeit|heure actuelle|hora actual|ora attuale|現在時刻|当前时间)"

/** Text before a date, a weekday or a time that makes it the present one. Tested only before such a match. */
const BEFORE_DATE = new RegExp(
  `(?:^|[^\\p{L}])${TODAY}(?:[^\\n\\p{L}\\d.!?;]|\\([^()\\n]{1,30}\\)|は|是|은|(?:is|it is|ist|est|es|è|é|der|den|the|le|el|il|d[ií]a|${WEEKDAY})(?!\\p{L})){0,14}$`,
  'iu',
)
const BEFORE_TIME = new RegExp(
  `${NOW}[^\\n\\d]{0,24}(?:${DATE}[^\\n\\d]{0,8})?$|${TODAY}[^\\n\\d]{0,24}${DATE}[^\\n\\d]{0,8}$`,
  'iu',
)
/** The same for a time alone: nothing may stand between, because "it is currently closed until 18:00" tells a rule. */
const BEFORE_CLOCK =
  /\bit(?: is|['’]s) (?:(?:now|currently|presently|about|exactly|already) ){1,2}$|(?:^|[.!?>*-] {0,2})(?:(?:now )?it(?: is|['’]s)|es ist(?: jetzt| gerade)?|il est|son las|sono le) $|\bthe (?:(?:local|current|present|server|system) )?time (?:here )?is:?(?: (?:now|currently))? $/i
/** A heading alone in its line, above the date. */
const HEADING_BEFORE = new RegExp(`(?:^|\\n)#{1,6} (?:the )?${TODAY}:?[ \\t]*\\r?\\n\\s{0,8}$`, 'iu')
const ONLY_WEEKDAY = new RegExp(`^[ \\t]*(?:${WEEKDAY},? )?$`, 'iu')
const BEFORE_INSTANT = /\b(?:timestamp|epoch|unix time|generated at|generated on)["'`]?\s*[:=>]\s*["'`]?$/i
const DATE_LINE = new RegExp(
  `^[ \\t*#>-]*(?:<date>|(?:date|datum|fecha|data|日期|日付)\\*{0,2} ?[:：=]\\*{0,2} ?(?:${WEEKDAY},? )?)$`,
  'iu',
)
const TIME_LINE = /^[ \t*#>-]*(?:time|uhrzeit|heure|hora|ora|時刻|时间)\*{0,2} ?[:：]\*{0,2} ?$/i

/** The same for seconds or milliseconds since 1970. */
const BEFORE_EPOCH = /\b(?:now|date\.now\(\)|(?:current|system|server|local)[-_ ]?time)["'`]?\s*[:=>]\s*["'`]?$/i

/** "It is Monday, 30 November 2026": at the beginning of a sentence. */
const BEFORE_DAY = new RegExp(
  `(?:^|[.!?>*-] {0,2})(?:it(?: is|['’]s)(?: (?:now|currently|today))?|the date is),? (?:${WEEKDAY},? )?$`,
  'iu',
)
const BEFORE_PERIOD =
  /\bcurrent[-_ ]?(?:year|month|week|day|quarter)(?: of (?:the |this )?[a-z]{1,8})?["'`]?\s?(?:[:=>]|is\b)\s?["'`]?$/i

function isToday({ 0: found, index }: RegExpExecArray, text: string): boolean {
  const before = lineBefore(text, index)
  if (BEFORE_PERIOD.test(before)) return true
  // A year or a month alone is today's in no other place.
  if (/^(?:\p{L}+\.? )?\d{4}$/u.test(found)) return false
  if (DAY_OF_MONTH.test(found)) return /\p{Lu}/u.test(found) && BEFORE_DATE.test(before) && !isConditional(before)
  if (BEFORE_DATE.test(before) || isBelowHeading(before, text, index)) return true
  // Stories are told of other years.
  if (BEFORE_DAY.test(before) && (/20[2-9]\d/.test(found) || !/\d/.test(found))) return true
  return (
    DATE_LINE.test(before) &&
    /^[ \t]*(?:<\/date>|\n|\r|$)/.test(text.slice(index + found.length, index + found.length + 40))
  )
}

function isBelowHeading(before: string, text: string, index: number): boolean {
  const lineAt = index - before.length
  return ONLY_WEEKDAY.test(before) && HEADING_BEFORE.test(text.slice(Math.max(0, lineAt - 160), lineAt))
}

function isNow({ 0: found, index }: RegExpExecArray, text: string): boolean {
  const before = lineBefore(text, index)
  if (!/^\d{1,2}(?:[:h]| ?[apou])/i.test(found)) {
    return BEFORE_INSTANT.test(before) || (/^\d{10}/.test(found) && BEFORE_EPOCH.test(before))
  }
  // Without seconds it may be when something begins.
  if (TIME_LINE.test(before) && /^:\d\d/.test(text.slice(index + found.length))) return true
  return BEFORE_TIME.test(before) || (BEFORE_CLOCK.test(before) && !isConditional(before))
}

const TIME_FIX =
  'Move the time after the last breakpoint, into the last user turn, or let the model get it with a tool.'

/** Rules about the present time and day. A date that is told as a fact is no finding. */
export const TIME_RULES: readonly TextRule[] = [
  {
    cause: 'timestamp',
    kind: 'volatile',
    what: 'a time',
    fix: TIME_FIX,
    pattern: new RegExp(
      `\\b(?:19|20)\\d\\d-[01]\\d-[0-3]\\d[T ][0-2]?\\d:[0-5]\\d(?::[0-5]\\d(?:[.,]\\d+)?)?(?:Z|[+-]\\d\\d:?\\d\\d)?|\\b(?:mon|tue|wed|thu|fri|sat|sun)\\w{0,6},? (?:\\d{1,2} [a-zéûä]{3,9}|[a-zéûä]{3,9} \\d{1,2}),?(?: \\d{4})? [0-2]?\\d:[0-5]\\d(?::[0-5]\\d)?|(?<![\\d./])\\d{1,2}[./]\\d{1,2}[./](?:20)?\\d\\d,? [0-2]?\\d:[0-5]\\d:[0-5]\\d(?: ?[ap]m\\b)?`,
      'gi',
    ),
    confirm: ([found]) => !/[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]00:?00)?$/.test(found),
    inExamples: 'skip',
    inTurns: false,
  },
  {
    cause: 'timestamp',
    kind: 'volatile',
    what: 'a time',
    fix: TIME_FIX,
    pattern: new RegExp(
      `(?<![\\d:])[0-2]?\\d[:h][0-5]\\d(?!\\d)|(?<![\\d:.,])\\d{1,2} ?(?:[ap]\\.?m\\b|o['’]clock|uhr\\b)|\\b1[5-9]\\d{8}(?:\\d{3})?\\b|${DATE}(?![\\w-])`,
      'gi',
    ),
    confirm: isNow,
    ...SKIPPED,
  },
  {
    cause: 'date',
    kind: 'volatile',
    what: "today's date",
    fix: 'Move the date after the last breakpoint, into the last user turn, or let the model get it with a tool.',
    pattern: new RegExp(
      `${DATE}|\\b(?:${MONTH} )?(?:19|20)\\d\\d\\b|\\b${MONTH_DAY}\\b|\\b${DAY}\\b(?!,? (?:the )?\\w{1,12} ?\\d)`,
      'gi',
    ),
    confirm: isToday,
    ...SKIPPED,
  },
  {
    cause: 'date',
    severity: 'hint',
    kind: 'volatile',
    what: 'the month in which it was written',
    fix: 'If a program writes it, move it after the last breakpoint: the prompt changes with the month.',
    // "Prices as of March 2026", and "As of March 2026 the fee is 4.90", tell a fact.
    pattern: new RegExp(
      `(?<=^|\\n)[ \\t]{0,8}(?:[-*] )?as of ${MONTH_NAME}\\.? 20\\d\\d(?=[,.:;]|[ \\t]{0,8}(?:\\r?\\n|$))`,
      'gi',
    ),
    ...SKIPPED,
  },
]
