import fc from 'fast-check'

/** Random JSON as people write it: values that remember key order and number spelling, and many ways to put one into text. */
export type Value =
  | { type: 'object'; members: [string, Value][] }
  | { type: 'array'; items: Value[] }
  | { type: 'string'; value: string }
  | { type: 'raw'; text: string }

export const object = (...members: [string, Value][]): Value => ({ type: 'object', members })
export const list = (...items: Value[]): Value => ({ type: 'array', items })
export const string = (value: string): Value => ({ type: 'string', value })
export const raw = (text: string): Value => ({ type: 'raw', text })

export const NUMBERS = ['0', '-0', '1', '1.0', '1e0', '10e-1', '1e400', '12345678901234567890', '0.1000', '-3.14e+2']

const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom(
    '',
    'é',
    'e\u0301',
    '漢字かな',
    '😀👩‍👩‍👧',
    '"quoted" \\ back/slash',
    'line\nbreak\ttab',
    '\u2028',
    '\u0000',
  ),
)
const keys = fc.oneof(
  fc.constantFrom(
    '1',
    '10',
    '2',
    '0',
    'type',
    'properties',
    'cache_control',
    'prompt_cache_breakpoint',
    'stream',
    '__proto__',
    'é',
    '',
  ),
  fc.string({ unit: 'binary', maxLength: 6 }),
)

export const promptText: fc.Arbitrary<string> = texts.filter((text) => text.isWellFormed())

/** Any JSON value, a few levels deep. */
export const value: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constantFrom(...NUMBERS, 'true', 'false', 'null').map(raw),
    promptText.map(string),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => list(...items)),
    members(tie('value')).map((entries) => object(...entries)),
  ),
})).value

export function members(of: fc.Arbitrary<Value>, min = 0): fc.Arbitrary<[string, Value][]> {
  const entry = fc.tuple(
    keys.filter((key) => key.isWellFormed()),
    of,
  )
  return fc.uniqueArray(entry, { selector: ([key]) => key, minLength: min, maxLength: min + 4 })
}

/** How to write it: small numbers that choose white space and escapes, used again from the start when they run out. */
export const style: fc.Arbitrary<number[]> = fc.array(fc.nat(999), { minLength: 1, maxLength: 40 })

const SPACES = ['', '', '', ' ', '\n', '\t ', '\r\n  ']

/** Writes a value in a style. Members in the list `last` order keep their order; nothing but spacing and escapes changes. */
export function spell(of: Value, choices: readonly number[]): string {
  let at = 0
  const next = (below: number): number => (choices[at++ % choices.length] ?? 0) % below
  const space = (): string => SPACES[next(SPACES.length)]!
  const quote = (text: string): string => {
    const written = Array.from(text, (character) => {
      if (next(4) === 0) return escape(character)
      return JSON.stringify(character).slice(1, -1)
    })
    return `"${written.join('')}"`
  }
  const write = (one: Value): string => {
    switch (one.type) {
      case 'object': {
        const entries = one.members.map(
          ([key, entry]) => `${space()}${quote(key)}${space()}:${space()}${write(entry)}${space()}`,
        )
        return `{${entries.length === 0 ? space() : entries.join(',')}}`
      }
      case 'array':
        return `[${one.items.length === 0 ? space() : one.items.map((item) => space() + write(item) + space()).join(',')}]`
      case 'string':
        return quote(one.value)
      case 'raw':
        return one.text
    }
  }
  return space() + write(of) + space()
}

function escape(character: string): string {
  return Array.from(
    { length: character.length },
    (_, n) => `\\u${character.charCodeAt(n).toString(16).padStart(4, '0')}`,
  ).join('')
}
