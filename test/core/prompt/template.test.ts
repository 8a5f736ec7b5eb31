import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readFailure } from '../../../src/contract/failure.ts'
import { MAX_OUTPUT, MAX_STEPS, renderTemplate } from '../../../src/core/prompt/template.ts'

const render = (template: string, vars: Record<string, unknown> = {}): string =>
  renderTemplate(template, vars, 'system')

function refusal(template: string, vars: Record<string, unknown> = {}) {
  try {
    render(template, vars)
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure !== null) return failure
    throw thrown
  }
  throw new Error('it was rendered')
}

describe('what is rendered', () => {
  it.each([
    ['Hello {{ tenant }}.', { tenant: 'acme' }, 'Hello acme.'],
    ['{{ a.b[0] }}{{ n }}{{ yes }}', { a: { b: ['x'] }, n: 1.5, yes: true }, 'x1.5true'],
    ['{% for one in list %}{{ forloop.index }}. {{ one | upcase }};{% endfor %}', { list: ['a', 'b'] }, '1. A;2. B;'],
    ['{% if vip %}Gold{% else %}{{ plan }}{% endif %}', { vip: false, plan: 'basic' }, 'basic'],
    ['{% assign shout = name | upcase %}{{ shout }}', { name: 'ada' }, 'ADA'],
    ['{% raw %}{{ kept }}{% endraw %} {{ list | join: ", " }}', { list: [1, 2] }, '{{ kept }} 1, 2'],
    ['100 % of { braces } stay, {{ x }} too', { x: '{{ y }} & <b>' }, '100 % of { braces } stay, {{ y }} & <b> too'],
  ])('%s', (template, vars, expected) => {
    expect(render(template, vars)).toBe(expected)
  })

  it('never reads a value as a template, whatever stands in it', () => {
    fc.assert(fc.property(fc.string(), (value) => render('{{ value }}', { value }) === value))
  })
})

describe('what is refused, with the name', () => {
  it.each([
    ['a name that is not given', 'Hello {{ tenant }}', {}, 'vars.tenant', 'is missing'],
    ['a member that is not there', '{{ user.name }}', { user: {} }, 'vars.user.name', 'is missing'],
    ['a name on a branch not taken', '{% if false %}{{ later }}{% endif %}', {}, 'vars.later', 'is missing'],
    ['a name that is not used', 'Hello', { tenant: 'acme' }, 'vars.tenant', 'does not use it'],
    ['what every object has', '{{ constructor }}', {}, 'vars.constructor', 'is missing'],
    ['what every object has, deeper', '{{ a.constructor.name }}', { a: {} }, 'vars.a.constructor', 'is missing'],
    ['null', '{{ x }}', { x: null }, 'system', 'line 1, column 1 prints null'],
    ['an object', 'one\n{{ x }}', { x: {} }, 'system', 'line 2, column 1 prints a list or an object'],
    ['the clock', '{{ "now" | date: "%s" }}', {}, 'system', 'the filter date, which is not offered'],
    ['chance', '{{ x | sample }}', { x: [1] }, 'system', 'the filter sample, which is not offered'],
    ['a file', '{% include "/etc/passwd" %}', {}, 'system', 'the tag include, which is not offered'],
    ['another file', '{% render "a.liquid" %}', {}, 'system', 'the tag render, which is not offered'],
    ['an end that is missing', '{% if x %}', { x: 1 }, 'system', 'cannot be rendered'],
  ])('%s', (_, template, vars, field, words) => {
    const failure = refusal(template, vars)
    expect(failure).toMatchObject({ kind: 'invalid_request', detail: { field } })
    expect(failure.message).toContain(words)
  })

  it('never quotes the template or a value', () => {
    const secret = 'swordfish'
    const messages = [
      refusal(`${secret} {% if %}`),
      refusal(`${secret} {{ x | ${secret}: }}`, { x: secret }),
      refusal(`${secret} {{ x }}`, { x: { [secret]: secret } }),
      refusal(`{{ ["a ${secret}"] }}`),
      refusal('x', { [`a ${secret}`]: 1 }),
    ].map(({ message }) => message)
    expect(messages.filter((message) => message.includes(`a ${secret}`) || message.includes(`${secret} {`))).toEqual([])
    expect(messages[2]).not.toContain(secret)
  })
})

describe('what a template may take', () => {
  it('stops loops inside loops by their steps, for no clock runs while a Worker computes', () => {
    const list = Array.from({ length: 1_000 }, (_, index) => index)
    const nested = '{% for a in list %}{% for b in list %}{% for c in list %}{% endfor %}{% endfor %}{% endfor %}'
    expect(refusal(nested, { list }).message).toContain(`more than ${MAX_STEPS} steps`)
  })

  it.each([
    ['a range without end', '{% for a in (1..1000000000) %}{% endfor %}', 'too much memory'],
    ['a text that doubles', `{% assign a = "x" %}${'{% assign a = a | append: a %}'.repeat(40)}`, 'too much memory'],
    ['ten thousand blocks in one another', '{% if 1 %}'.repeat(10_000) + '{% endif %}'.repeat(10_000), 'too deeply'],
  ])('stops %s', (_, template, words) => {
    expect(refusal(template).message).toContain(words)
  })

  it('stops an output that is larger than any prefix', () => {
    const failure = refusal(`{% for a in (1..1000) %}${'x'.repeat(10_000)}{% endfor %}`)
    expect(failure).toMatchObject({ kind: 'payload_too_large', detail: { limit_bytes: MAX_OUTPUT } })
  })
})

describe('what would keep a Worker busy', () => {
  const long = 'a'.repeat(1_000_000)
  const list = Array.from({ length: 20_000 }, (_, index) => String((index * 7_919) % 20_011))

  it.each([
    [
      'long texts compared often',
      '{% for i in (1..90000) %}{% if x == y %}{% endif %}{% endfor %}',
      { x: long, y: long },
    ],
    [
      'one condition of many',
      `{% if ${'x == y or '.repeat(90_000)}x == y %}{% endif %}`,
      { x: long, y: `${long.slice(1)}b` },
    ],
    ['a long list sorted often', '{% for i in (1..3000) %}{% assign y = x | sort %}{% endfor %}', { x: list }],
    ['a long path read often', `{% for i in (1..900) %}{{ x${'.x'.repeat(100_000)} }}{% endfor %}`, { x: {} }],
    ['a name at a hundred thousand places', '{{ x }}'.repeat(100_000), { x: 1 }],
    ['a hundred thousand names', Array.from({ length: 100_000 }, (_, i) => `{{ v${i} }}`).join(''), { v0: 1 }],
  ])('%s', { timeout: 20_000 }, (_, template, vars) => {
    expect(refusal(template, vars)).toMatchObject({ kind: 'invalid_request' })
  })

  it('lets pass a long template that uses names often', { timeout: 20_000 }, () => {
    const template = `${'Tents, stoves and mats. '.repeat(40)}{{ x }}`.repeat(3_000)
    expect(render(template, { x: 1 })).toHaveLength(3_000 * (40 * 24 + 1))
  })

  it('still says where a template is wrong', () => {
    expect(refusal('a\nb {{ x | shell }}', { x: 1 }).message).toContain('line 2, column 3')
  })
})
