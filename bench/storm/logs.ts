/** What the product's processes wrote to their outputs and log files, held against what never may be in a log. */

export interface LogFinding {
  /** What was found there. */
  word: string
  line: string
}

/** Lines that are the storm's own: it ends objects in the middle of a call. */
const OWN = /the storm ended this object/

/** Every line with a failure that nobody caught, or with one of these words: tenants, keys, prompts. */
export function unwantedIn(text: string, words: readonly string[]): LogFinding[] {
  return text.split('\n').flatMap((line) => {
    const word =
      words.find((one) => line.includes(one)) ?? (/uncaught/i.test(line) && !OWN.test(line) ? 'Uncaught' : null)
    return word === null ? [] : [{ word, line: line.slice(0, 400) }]
  })
}
