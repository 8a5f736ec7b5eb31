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

describe('a rendered template', () => {
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

  it('never renders a value as a template', () => {
    fc.assert(fc.property(fc.string(), (value) => render('{{ value }}', { value }) === value))
  })
})

describe('a refused template, with the name in the message', () => {
  it.each([
    ['a missing name', 'Hello {{ tenant }}', {}, 'vars.tenant', 'is missing'],
    ['a missing member', '{{ user.name }}', { user: {} }, 'vars.user.name', 'is missing'],
    [
      'a missing name in a branch that is not taken',
      '{% if false %}{{ later }}{% endif %}',
      {},
      'vars.later',
      'is missing',
    ],
    ['an unused name', 'Hello', { tenant: 'acme' }, 'vars.tenant', 'does not use it'],
    ['a property of Object.prototype', '{{ constructor }}', {}, 'vars.constructor', 'is missing'],
    [
      'a property of Object.prototype, nested',
      '{{ a.constructor.name }}',
      { a: {} },
      'vars.a.constructor',
      'is missing',
    ],
    ['null', '{{ x }}', { x: null }, 'system', 'line 1, column 1 prints null'],
    ['an object', 'one\n{{ x }}', { x: {} }, 'system', 'line 2, column 1 prints a list or an object'],
    [
      'a filter that reads the clock',
      '{{ "now" | date: "%s" }}',
      {},
      'system',
      'the filter date, which is not supported',
    ],
    ['a random filter', '{{ x | sample }}', { x: [1] }, 'system', 'the filter sample, which is not supported'],
    [
      'a tag that includes a file',
      '{% include "/etc/passwd" %}',
      {},
      'system',
      'the tag include, which is not supported',
    ],
    ['a tag that renders a file', '{% render "a.liquid" %}', {}, 'system', 'the tag render, which is not supported'],
    ['a missing end tag', '{% if x %}', { x: 1 }, 'system', 'cannot be rendered'],
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

describe('the limits of a template', () => {
  it('stop nested loops by steps, because a Worker’s clock stands still while it computes', () => {
    const list = Array.from({ length: 1_000 }, (_, index) => index)
    const nested = '{% for a in list %}{% for b in list %}{% for c in list %}{% endfor %}{% endfor %}{% endfor %}'
    expect(refusal(nested, { list }).message).toContain(`more than ${MAX_STEPS} steps`)
  })

  it.each([
    ['a huge range', '{% for a in (1..1000000000) %}{% endfor %}', 'too much memory'],
    [
      'a text that doubles forty times',
      `{% assign a = "x" %}${'{% assign a = a | append: a %}'.repeat(40)}`,
      'too much memory',
    ],
    ['ten thousand nested blocks', '{% if 1 %}'.repeat(10_000) + '{% endif %}'.repeat(10_000), 'more than 8000 tags'],
    ['thousands of nested blocks', '{% if 1 %}'.repeat(3_900) + '{% endif %}'.repeat(3_900), 'too deeply'],
  ])('stop %s', (_, template, words) => {
    expect(refusal(template).message).toContain(words)
  })

  it('stop an output of more than 4 million characters', () => {
    const failure = refusal(`{% for a in (1..1000) %}${'x'.repeat(10_000)}{% endfor %}`)
    expect(failure).toMatchObject({ kind: 'payload_too_large', detail: { limit_bytes: MAX_OUTPUT } })
  })
})

describe('a template that would take minutes', () => {
  const long = 'a'.repeat(1_000_000)
  const list = Array.from({ length: 20_000 }, (_, index) => String((index * 7_919) % 20_011))

  it.each([
    [
      'compares long texts often',
      '{% for i in (1..90000) %}{% if x == y %}{% endif %}{% endfor %}',
      { x: long, y: long },
    ],
    [
      'has a condition of 90,000 comparisons',
      `{% if ${'x == y or '.repeat(90_000)}x == y %}{% endif %}`,
      { x: long, y: `${long.slice(1)}b` },
    ],
    ['sorts a long list often', '{% for i in (1..3000) %}{% assign y = x | sort %}{% endfor %}', { x: list }],
    ['reads a long path often', `{% for i in (1..900) %}{{ x${'.x'.repeat(100_000)} }}{% endfor %}`, { x: {} }],
    ['uses a name a hundred thousand times', '{{ x }}'.repeat(100_000), { x: 1 }],
    ['uses a hundred thousand names', Array.from({ length: 100_000 }, (_, i) => `{{ v${i} }}`).join(''), { v0: 1 }],
  ])('%s and is refused', { timeout: 20_000 }, (_, template, vars) => {
    expect(refusal(template, vars)).toMatchObject({ kind: 'invalid_request' })
  })

  it('is not confused with a long template that uses a name often', { timeout: 20_000 }, () => {
    const template = `${'Tents, stoves and mats. '.repeat(40)}{{ x }}`.repeat(3_000)
    expect(render(template, { x: 1 })).toHaveLength(3_000 * (40 * 24 + 1))
  })

  it('does not hide the line and column of an error', () => {
    expect(refusal('a\nb {{ x | shell }}', { x: 1 }).message).toContain('line 2, column 3')
  })
})
