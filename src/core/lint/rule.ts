/**
 * A rule about text that a prefix should not contain. `volatile`: text that differs between requests, so that no other request
 * reads the prefix. `private`: text that should not be stored or shared. `mistake`: text that was probably not intended.
 */
export interface TextRule {
  cause: string
  /** Absent: a warning. */
  severity?: 'hint'
  kind: 'volatile' | 'private' | 'mistake'
  /** Names what was found, for a message: "a UUID". */
  what: string
  fix: string
  pattern: RegExp
  /** Confirms a match; absent: every match counts. */
  confirm?: (found: RegExpExecArray, text: string) => boolean
  /** Matches in code and examples: skip both, skip code only, or report them, as for a secret. */
  inExamples: 'skip' | 'skip code' | 'report'
  /** False: not in earlier turns, whose text does not change any more. */
  inTurns: boolean
}

/** Between a name and its value: a colon, an equals sign, a word. */
export const VALUE = '["\'`]?\\s*(?:[:=#]|is\\b)\\s*["\'`]?'
/** An identifier: four characters or more, one of them a digit. */
export const ID = '(?=[\\w-]{0,200}\\d)[\\w-]{4,}'

export const SKIPPED = { inExamples: 'skip', inTurns: true } as const
