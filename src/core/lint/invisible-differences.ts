import { codeSpans, isCode, positionOf } from './context.ts'
import type { Span } from './context.ts'
import type { Piece } from './prompt-view.ts'
import type { Finding } from '../model/advice.ts'

/** Differences that nobody sees and every provider compares: ends of lines, spaces, spellings of one letter, order of keys. */
export function invisibleDifferences(pieces: readonly Piece[]): Finding[] {
  return [...lineEnds(pieces), ...pieces.flatMap(ofPiece)]
}

function ofPiece(piece: Piece): Finding[] {
  return [trailingSpace(piece), invisible(piece), unnormalised(piece), keyOrder(piece)].filter((one) => one !== null)
}

function finding(cause: string, message: string, fix: string, { at, text }: Piece, start: number): Finding {
  return { cause, severity: 'warning', message, fix, at, ...positionOf(text, start) }
}

/** Windows' ends of lines beside Unix's, within one prefix: some of its parts come from another machine or editor. */
function lineEnds(pieces: readonly Piece[]): Finding[] {
  const first = pieces.find(({ text }) => text.includes('\r\n'))
  if (first === undefined || !pieces.some(({ text }) => /(?<!\r)\n/.test(text))) return []
  const message = 'Lines end in two ways here (CR LF and LF). The same text saved elsewhere is another prefix.'
  const fix = 'Turn \\r\\n into \\n wherever a text is read.'
  return [finding('mixed_line_endings', message, fix, first, first.text.indexOf('\r\n'))]
}

/** Two spaces at the end of a line break it in Markdown; one, three, or a tab are left over. */
function trailingSpace(piece: Piece): Finding | null {
  let code: Span[] | null = null
  for (const { index, 1: space = '' } of piece.text.matchAll(/(?<=\S)([ \t]+)(?=\r?\n|$)/g)) {
    const last = index + space.length === piece.text.length
    if (space === '  ' && !last) continue
    code ??= codeSpans(piece.text)
    if (isCode(code, index)) continue
    const message = last
      ? 'The text ends with a space, which joining or trimming elsewhere takes away; then the prefix is another one.'
      : 'A line ends with a space that nobody sees; an editor that takes it away makes another prefix.'
    return finding('trailing_whitespace', message, 'Trim the ends of lines and of the text.', piece, index)
  }
  return null
}

const INVISIBLE = /[\ufeff\u200b\u2060\u00ad]|(?![\t\n\r])\p{Cc}/u

function invisible(piece: Piece): Finding | null {
  const match = INVISIBLE.exec(piece.text)
  if (match === null) return null
  const code = match[0].codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')
  const message = `An invisible character stands here (U+${code}). It comes and goes with copying, and the prefix with it.`
  return finding('invisible_character', message, 'Take it out.', piece, match.index)
}

function unnormalised(piece: Piece): Finding | null {
  const { text } = piece
  // Letters with their accents apart, as some file systems and editors write them. Scripts that have no other way are left alone.
  const match = /[A-Za-z][\u0300-\u036f]/.exec(text)
  if (match === null || match[0].normalize('NFC') === match[0]) return null
  const message = 'A letter is written with its accent apart (not NFC). It looks the same and is another text.'
  return finding('unnormalised_text', message, 'Normalise texts to NFC when they are read.', piece, match.index)
}

/** Records with the same keys in different orders: whoever wrote them has no fixed order, so that the next run differs. */
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
        'Records with the same keys have them in different orders: what writes this JSON has no fixed order.'
      return finding('key_order', message, 'Write JSON with its keys in one order (sorted), everywhere.', piece, index)
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
