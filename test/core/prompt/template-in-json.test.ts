import fc from 'fast-check'
import { expect, it } from 'vitest'
import { readFailure } from '../../../src/contract/failure.ts'
import { edit } from '../../../src/core/prompt/json-edit.ts'
import { items, readJson } from '../../../src/core/prompt/json-text.ts'
import { renderTemplate } from '../../../src/core/prompt/template.ts'
import { templateEdits } from '../../../src/core/prompt/template-in-json.ts'

/** A JSON list of strings, each a template. */
function rendered(text: string, vars: Record<string, unknown>): string {
  const strings = items(readJson(text)).flatMap((node, index) =>
    node.type === 'string' ? [{ node, field: `texts[${index}]` }] : [],
  )
  return edit(text, templateEdits(text, strings, vars))
}

it.each([
  [String.raw`["caf\u00e9 {{ a }} \/ \n"]`, { a: 'x' }, String.raw`["caf\u00e9 x \/ \n"]`],
  [String.raw`["\u0063 {{\u0020a | append: \"!\" }}\u0064"]`, { a: '"' }, String.raw`["\u0063 \"!\u0064"]`],
  [String.raw`["{% for one in a %}\u0061{{ one }}{% endfor %}"]`, { a: [1, 2] }, String.raw`["\u00611\u00612"]`],
  [String.raw`["\u0061 \n {%- if a -%} \n b {%- endif %}"]`, { a: true }, String.raw`["\u0061b"]`],
  [String.raw`["{% raw %}\u007b{ a }}{% endraw %}{{ a }}"]`, { a: 1 }, String.raw`["\u007b{ a }}1"]`],
  [
    String.raw`[ "{{ a }}" ,1e400, "no tag \u00e9", "{{ b }}" ]`,
    { a: 1, b: 2 },
    String.raw`[ "1" ,1e400, "no tag \u00e9", "2" ]`,
  ],
  ['["\ue000{{ a }}0\ue000"]', { a: '\ue0010\ue001' }, '["\ue000\ue0010\ue0010\ue000"]'],
])('%s with %j', (text, vars, expected) => {
  expect(rendered(text, vars)).toBe(expected)
})

/** A text without a tag, in one of the many spellings that JSON has for it. */
const spelled = fc
  .array(
    fc.record({
      unit: fc.string({ unit: 'grapheme', maxLength: 3 }).filter((unit) => !/[{}%]/.test(unit)),
      escaped: fc.boolean(),
    }),
    { maxLength: 8 },
  )
  .map((parts) =>
    parts
      .map(({ unit, escaped }) =>
        escaped
          ? [...Array(unit.length).keys()]
              .map((at) => `\\u${unit.charCodeAt(at).toString(16).padStart(4, '0')}`)
              .join('')
          : JSON.stringify(unit).slice(1, -1),
      )
      .join(''),
  )

it('writes nothing anew but what a tag prints', () => {
  const value = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(fc.array(spelled, { minLength: 2, maxLength: 5 }), value, (texts, a) => {
      const text = `[ "${texts.join('{{ a }}')}" ,\t"${texts[0]}"]`
      const said = JSON.stringify(a).slice(1, -1)
      expect(rendered(text, { a })).toBe(`[ "${texts.join(said)}" ,\t"${texts[0]}"]`)
    }),
  )
})

it('says what the same template says outside of JSON', () => {
  const template =
    '{% for x in list %} {{- x }},\n{% endfor %} "{{ a | upcase }}" \\ {% if a == "é" %}yes{% else %}no{% endif %}'
  fc.assert(
    fc.property(fc.array(fc.integer(), { maxLength: 5 }), fc.string({ unit: 'grapheme' }), (list, a) => {
      const [text] = JSON.parse(rendered(JSON.stringify([template]), { list, a })) as [string]
      expect(text).toBe(renderTemplate(template, { list, a }, 'system'))
    }),
  )
})

it.each([
  [['{{ a }}'], {}, 'vars.a', 'is missing; the template in texts[0] uses it'],
  [['{{ a }}', 'b'], { a: 1, c: 2 }, 'vars.c', 'the template in texts[0] does not use it'],
  [['{{ a }}', '{{ b }}'], { a: 1, b: 2, c: 2 }, 'vars.c', 'no template uses it'],
  [['no tag'], { a: 1 }, 'vars.a', 'no template uses it'],
  [['a', '{{ a'], { a: 1 }, 'texts[1]', 'cannot be rendered'],
  [['{% include "x" %}'], {}, 'texts[0]', 'uses the tag include'],
])('%j with %j is refused', (texts, vars, field, why) => {
  let failure = null
  try {
    rendered(JSON.stringify(texts), vars)
  } catch (thrown) {
    failure = readFailure(thrown)
  }
  expect(failure).toMatchObject({ kind: 'invalid_request', detail: { field }, message: expect.stringContaining(why) })
})

it('holds all templates of a body together to the limits of one', () => {
  const loop = '{% for x in list %}{% endfor %}'
  const list = Array.from({ length: 60_000 }, () => 1)
  expect(() => rendered(JSON.stringify([`${loop}{{ list.size }}`]), { list })).not.toThrow()
  expect(() => rendered(JSON.stringify([loop, loop]), { list })).toThrow(/texts\[1\]: .*more than 100000 steps/)
  const long = 'x'.repeat(1_000_000)
  expect(() => rendered(JSON.stringify([`{% for x in list %}${long}{% endfor %}`]), { list: [1, 2, 3, 4, 5] })).toThrow(
    /texts\[0\]: becomes longer/,
  )
})
