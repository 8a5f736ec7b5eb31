/** Context of a match in a text: its line and column, and whether the text only shows it as an example. */

export interface Span {
  start: number
  end: number
}

/** Parts of a text that show something as an example. */
export interface Context {
  code: Span[]
  examples: Span[]
}

const FENCE = /^[ \t]*(```|~~~)[^\n]*\n[\s\S]*?(?:^[ \t]*\1|(?![\s\S]))/gm
const INLINE = /`[^`\n]{1,400}`/g
const EXAMPLE_START = /<(examples?|sample|template|schema|output_format)\b[^<>\n]{0,200}>/gi
const EXAMPLE_END = /<\/(examples?|sample|template|schema|output_format)>/gi

/** Words that announce an example before it on its line. */
const ANNOUNCED =
  /\be\.\s?g\b|\bi\.\s?e\b|\b(?:for instance|such as|looks? like|examples?|sample|formats?|formatted|template|placeholder|pattern|beispiel\w*|exemples?|ejemplos?|esempi[oi]?|voorbeeld\w*|exemplos?)\b|\bz\.\s?B\b|例|예|пример/iu

export function contextOf(text: string): Context {
  return { code: codeSpans(text), examples: exampleSpans(text) }
}

/** Fenced code blocks and text in backticks, in order, without overlap. */
export function codeSpans(text: string): Span[] {
  const fenced = spans(text, FENCE)
  const inline = spans(text, INLINE).filter(({ start }) => !within(fenced, start))
  return [...fenced, ...inline].toSorted((a, b) => a.start - b.start)
}

function spans(text: string, pattern: RegExp): Span[] {
  return [...text.matchAll(pattern)].map(({ index, 0: found }) => ({ start: index, end: index + found.length }))
}

/** Elements that hold an example. One without an end tag does not count. */
function exampleSpans(text: string): Span[] {
  // Last end tags are found first. Otherwise thousands of start tags without an end would each be searched to the end of the text.
  const lastEnds = new Map<string, number>()
  for (const { index, 1: tag = '' } of text.matchAll(EXAMPLE_END)) lastEnds.set(tag, index)
  const found: Span[] = []
  for (const { index, 1: tag = '' } of text.matchAll(EXAMPLE_START)) {
    if (index > (lastEnds.get(tag) ?? -1) || index < (found.at(-1)?.end ?? 0)) continue
    found.push({ start: index, end: text.indexOf(`</${tag}>`, index) })
  }
  return found
}

/** Whether a span covers `at`. `list` is sorted, and its spans do not overlap. */
function within(list: readonly Span[], at: number): boolean {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((list[middle]?.end ?? 0) <= at) low = middle + 1
    else high = middle
  }
  return (list[low]?.start ?? Infinity) <= at
}

/** Whether the text at `at` is code or an example: such text stays the same in each request. */
export function isExample(text: string, { code, examples }: Context, at: number): boolean {
  return isCode(code, at) || within(examples, at) || ANNOUNCED.test(lineBefore(text, at))
}

export function isCode(code: readonly Span[], at: number): boolean {
  return within(code, at)
}

/** Whether `at` lies in a URL, which stays the same. */
export function isAddress(text: string, at: number): boolean {
  return /[a-z][a-z\d+.-]{1,20}:\/\/[^\s"'<>)\]]*$/i.test(lineBefore(text, at))
}

/** The text before `at` on its line, at most 160 characters. */
export function lineBefore(text: string, at: number): string {
  const before = text.slice(Math.max(0, at - 160), at)
  return before.slice(before.lastIndexOf('\n') + 1)
}

/** Whether a text ends within a clause that names a condition: what it tells is a rule, not the present state. */
export function isConditional(before: string): boolean {
  return /\b(?:if|when|whenever|once|until|unless|after|before|as soon as|while|falls?|wenn|sobald|si|quand|cuando)\b[^.!?;]*$/i.test(
    before,
  )
}

/** Line and column of `at`, both from 1; columns count UTF-16 units. */
export function positionOf(text: string, at: number): { line: number; column: number } {
  let line = 1
  let lineStart = 0
  for (let next = text.indexOf('\n'); next >= 0 && next < at; next = text.indexOf('\n', next + 1)) {
    line++
    lineStart = next + 1
  }
  return { line, column: at - lineStart + 1 }
}
