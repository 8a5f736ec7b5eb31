/** Counts the tokens of a text: by the model's vocabulary where it is available, otherwise by an estimate. */
export type CountTokens = (text: string) => number

/** Runs of one kind of character. The order matters: the first kind that matches takes the character. */
const RUN =
  /(?<han>[\p{Script=Han}\u3000-\u303f\uff00-\uffef])|(?<kana>[\p{Script=Hiragana}\p{Script=Katakana}ー]+)|(?<hangul>\p{Script=Hangul}+)|(?<latin>\p{Script=Latin}+)|(?<letters>[\p{L}\p{M}]+)|(?<digits>\p{N}+)|(?<emoji>\p{Extended_Pictographic}|\p{Regional_Indicator}|\p{Emoji_Modifier}|\u200d|\ufe0f)|(?<newline>\s*\n\s*)|(?<space>\s+)|(?<mark>[^\p{L}\p{M}\p{N}\s]{1,3}?(?=[\p{L}\p{M}\p{N}\s]|$)|[^\p{L}\p{M}\p{N}\s]{1,2})/gu

/**
 * Estimates the tokens of a text without a vocabulary. Each script has its own weight, fitted to o200k
 * (`test/core/prompt/tokens.test.ts` limits the error). Other vocabularies differ, most of all for code.
 */
export function estimateTokens(text: string): number {
  let tokens = 0
  for (const { 0: run, groups } of text.matchAll(RUN)) {
    if (groups === undefined) continue
    const { length } = run
    if (groups.latin !== undefined) tokens += latinWord(run)
    else if (groups.han !== undefined) tokens += 0.7
    else if (groups.kana !== undefined) tokens += 0.8 * length
    else if (groups.hangul !== undefined) tokens += 0.62 * length
    else if (groups.letters !== undefined) tokens += Math.max(1, length / 3.8)
    else if (groups.digits !== undefined) tokens += Math.ceil(length / 3)
    else if (groups.emoji !== undefined) tokens += length === 1 && run > '\u2000' ? 0.8 : 1.2
    else if (groups.newline !== undefined) tokens += 0.9
    else if (groups.space !== undefined) tokens += length > 1 ? 1 : 0.02
    else tokens += 0.85
  }
  return Math.ceil(tokens)
}

/** A short English word is one token. Long words, accents and camelCase take more. */
function latinWord(word: string): number {
  const humps = (word.match(/\p{Ll}(?=\p{Lu})/gu) ?? []).length
  const accents = (word.match(/[^a-z]/gi) ?? []).length
  return 1 + 0.6 * humps + 0.4 * accents + Math.max(0, word.length - 8) * 0.14
}
