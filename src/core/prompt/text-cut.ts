import { commonLength } from './first-difference.ts'

/** A break of a line or a word this near (in UTF-16 units) to the end of what texts share is better than a cut at the very end. */
const NEAR = 256

const GRAPHEMES = new Intl.Segmenter('und', { granularity: 'grapheme' })

/** Punctuation that ends a word in scripts without spaces. */
const CLOSING = /[\u3001-\u3003\u3009-\u3011\u3015-\u301f\uff01-\uff0f\uff1a-\uff1f\uff3d\uff5d…]/

/**
 * Where to cut texts that begin alike, in UTF-16 units: everything in front of it is the same in all of them. It lies at the end of a line,
 * else at the end of a word, else between two characters as people see them; the tokens of both sides are then those of the whole text. Of
 * no text it leaves a rest of white space alone, which providers refuse as a block. Null: there is no such place.
 */
export function cutOf(texts: readonly string[]): number | null {
  const [first, ...others] = texts
  if (first === undefined) return null
  const most = others.reduce((least, text) => Math.min(least, commonLength(first, text)), first.length)
  if (first.slice(0, most).trim() === '') return null
  const readers = texts.map(graphemesOf)
  const mayCut = (at: number): boolean => {
    // What stands on both sides of a place inside of the shared part is the same in all texts, so that one of them is read.
    const read = at < most ? readers.slice(0, 1) : readers
    return (
      read.every((beginsAt) => beginsAt(at)) &&
      texts.every((text) => at === text.length || text.slice(at).trim() !== '')
    )
  }
  const least = Math.max(1, most - NEAR)
  for (const isBreak of [endsLine, endsWord, closes, () => true]) {
    for (let at = most; at >= least; at--) {
      if (texts.every((text) => isBreak(text, at)) && mayCut(at) && first.slice(0, at).trim() !== '') return at
    }
  }
  return null
}

/** Whether a character begins at a place, or the text ends there. The text is segmented once it is asked for. */
function graphemesOf(text: string): (at: number) => boolean {
  let graphemes: Intl.Segments | undefined
  return (at) => {
    graphemes ??= GRAPHEMES.segment(text)
    return at === text.length || graphemes.containing(at)?.index === at
  }
}

const isSpace = (character: string): boolean => /\s/.test(character)

function endsLine(text: string, at: number): boolean {
  return text.charAt(at - 1) === '\n' && !isSpace(text.charAt(at))
}

/** Vocabularies join a space to the word behind it. */
function endsWord(text: string, at: number): boolean {
  return at === text.length || (isSpace(text.charAt(at)) && !isSpace(text.charAt(at - 1)))
}

function closes(text: string, at: number): boolean {
  return at === text.length || CLOSING.test(text.charAt(at - 1))
}
