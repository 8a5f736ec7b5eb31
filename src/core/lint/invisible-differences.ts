import { codeSpans, isCode, positionOf } from './context.ts'
import type { Span } from './context.ts'
import type { Piece } from './prompt-view.ts'
import type { Finding } from '../model/advice.ts'

/** Finds differences that readers do not see and providers compare: line ends, spaces, letter encodings, order of keys. */
export function invisibleDifferences(pieces: readonly Piece[]): Finding[] {
  return [...lineEnds(pieces), ...pieces.flatMap(pieceFindings)]
}

function pieceFindings(piece: Piece): Finding[] {
  return [trailingSpace(piece), invisible(piece), unnormalised(piece), keyOrder(piece)].filter((one) => one !== null)
}

function finding(cause: string, message: string, fix: string, { at, text }: Piece, start: number): Finding {
  return { cause, severity: 'warning', message, fix, at, ...positionOf(text, start) }
}

/** Finds CR LF and LF in one prefix: its parts come from different machines or editors. */
function lineEnds(pieces: readonly Piece[]): Finding[] {
  const first = pieces.find(({ text }) => text.includes('\r\n'))
  if (first === undefined || !pieces.some(({ text }) => /(?<!\r)\n/.test(text))) return []
  const message = 'Line ends are mixed (CR LF and LF). The same text saved on another machine may be another prefix.'
  const fix = 'Replace \\r\\n by \\n where texts are read.'
  return [finding('mixed_line_endings', message, fix, first, first.text.indexOf('\r\n'))]
}

/** Finds space at the end of a line. Exactly two spaces are a line break in Markdown. */
function trailingSpace(piece: Piece): Finding | null {
  let code: Span[] | null = null
  for (const { index, 1: space = '' } of piece.text.matchAll(/(?<=\S)([ \t]+)(?=\r?\n|$)/g)) {
    const last = index + space.length === piece.text.length
    if (space === '  ' && !last) continue
    code ??= codeSpans(piece.text)
    if (isCode(code, index)) continue
    const message = last
      ? 'The text ends with a space. Code that trims it makes another prefix.'
      : 'A line ends with a space. An editor that removes it makes another prefix.'
    return finding('trailing_whitespace', message, 'Trim the ends of the lines and of the text.', piece, index)
  }
  return null
}

const INVISIBLE = /[\ufeff\u200b\u2060\u00ad]|(?![\t\n\r])\p{Cc}/u

function invisible(piece: Piece): Finding | null {
  const match = INVISIBLE.exec(piece.text)
  if (match === null) return null
  const code = match[0].codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')
  const message = `There is an invisible character (U+${code}). Copying may add or remove it, which makes another prefix.`
  return finding('invisible_character', message, 'Remove it.', piece, match.index)
}

function unnormalised(piece: Piece): Finding | null {
  const { text } = piece
  // Latin letters followed by a combining accent, as some file systems and editors write them. Other scripts may need such marks.
  const match = /[A-Za-z][\u0300-\u036f]/.exec(text)
  if (match === null || match[0].normalize('NFC') === match[0]) return null
  const message =
    'A letter and its accent are separate characters (not NFC). The text looks the same as NFC and differs in bytes.'
  return finding('unnormalised_text', message, 'Normalise texts to NFC where they are read.', piece, match.index)
}

/** Finds records with the same keys in different orders: what writes them has no fixed order, so the next run may differ. */
function keyOrder(piece: Piece): Finding | null {
  const orders = new Map<string, string>()
  let lines = 0
  for (const { index, 0: line } of piece.text.matchAll(/^[ \t]*(?:\{.{2,4000}\}|\[\{.{2,20000}\}\]),?[ \t]*$/gm)) {
    if (++lines > 200) break
    for (const record of recordsOf(line)) {
      const keys = Object.keys(record)
      const set = JSON.stringify(keys.toSorted())
      const order = JSON.stringify(keys)
      const known = orders.get(set) ?? order
      orders.set(set, known)
      if (known === order) continue
      const message =
        'Records have the same keys in different orders: the code that writes this JSON has no fixed order.'
      return finding('key_order', message, 'Write all JSON with sorted keys.', piece, index)
    }
  }
  return null
}

function recordsOf(line: string): Record<string, unknown>[] {
  try {
    const value: unknown = JSON.parse(line.trim().replace(/,$/, ''))
    return (Array.isArray(value) ? value : [value]).filter((one) => typeof one === 'object' && one !== null)
  } catch {
    return [] // a line that only looks like JSON
  }
}
