import { expect, it } from 'vitest'
import { lint, MAX_LINT_CHARACTERS } from '../../../src/core/lint/lint.ts'

/** Each of these once took quadratic time or more: seconds of CPU in a shared Worker. */
const HOSTILE: [string, string][] = [
  ['times on one line', '12:00 '],
  ['dates on one line', '2026-11-21 '],
  ['halves of trace ids', '00-'],
  ['beginnings of a web token', `eyJ${'-'.repeat(40)}`],
  ['web tokens that end before their third part', `eyJaaaaaaaaaa.eyJ${'-'.repeat(40)}`],
  ['passwords without a digit', `api_key=${'-'.repeat(40)}`],
  ['ids without a digit', 'user-idis-'],
  ['numbers of rounds', `${'Loop 5:\n'.repeat(70)}Loop 6:\n`],
  ['days without a year', 'Nov 30 '],
  ['digests in brackets', `[request ${'a'.repeat(40)}`],
]

it.each(HOSTILE)('reads %s in linear time', { timeout: 20_000 }, (_, part) => {
  expect(lintedText(part.repeat(MAX_LINT_CHARACTERS / 2))).not.toBeNull()
})

it('does not search the end of thousands of example tags that differ in case', { timeout: 20_000 }, () => {
  const tags = Array.from({ length: 4096 }, (_, bits) => {
    let bit = 0
    return `<${[...'output_format'].map((letter) => (letter !== '_' && (bits >> bit++) & 1 ? letter.toUpperCase() : letter)).join('')}>`
  })
  const found = lintedText(`${tags.join('')}${'lorem <ipsum dolor '.repeat(25_000)}`)
  expect(found.map(({ cause }) => cause)).toContain('trailing_whitespace')
})

it('finds a secret after hostile text on its line', () => {
  const secret = `sk-ant-${'a1'.repeat(12)}`
  const found = lintedText(`${'12:00 '.repeat(1_000)}${secret}`)
  expect(found.map(({ cause }) => cause)).toEqual(['secret'])
  expect(JSON.stringify(found)).not.toContain(secret)
})

it('recognises an example tag in any case, if its end tag has the same case', () => {
  expect(lintedText('<EXAMPLE>\n3f2b8c1e-9d4a-4c6b-8e2f-1a2b3c4d5e6f</EXAMPLE>')).toEqual([])
  const causes = lintedText('<EXAMPLE>\n3f2b8c1e-9d4a-4c6b-8e2f-1a2b3c4d5e6f</example>').map(({ cause }) => cause)
  expect(causes).toEqual(['uuid'])
})

function lintedText(whole: string) {
  const text = whole.slice(0, 4 * 1024 * 1024)
  const pieces = [{ at: '/system', text }]
  return lint({
    blocks: [{ at: '/system', part: 'system', pieces, marker: null, run: null }],
    tools: [],
    estimatedTokens: 10_000,
    minimumTokens: null,
    maxMarkers: null,
    lookback: null,
  })
}
