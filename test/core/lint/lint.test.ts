import { describe, expect, it } from 'vitest'
import { lint, MAX_LINT_CHARACTERS } from '../../../src/core/lint/lint.ts'
import type { Block, Part, PromptView } from '../../../src/core/lint/prompt-view.ts'
import type { Finding } from '../../../src/core/model/advice.ts'

const block = (text: string, part: Part = 'system', at = '/system'): Block => ({
  at,
  part,
  pieces: [{ at, text }],
  marker: null,
  run: null,
})

function findings(blocks: Block | Block[], rest: Partial<PromptView> = {}): Finding[] {
  return lint({
    blocks: [blocks].flat(),
    tools: [],
    estimatedTokens: 5_000,
    minimumTokens: 1_024,
    maxMarkers: 4,
    lookback: 20,
    ...rest,
  })
}
const causes = (text: string, part?: Part): string[] => findings(block(text, part)).map(({ cause }) => cause)

/** A key made of parts, so that secret scanners do not report this file. */
const key = (prefix: string, length: number): string => prefix + 'aB3dE5fG7h'.repeat(10).slice(0, length)

describe('volatile text', () => {
  it.each([
    ['timestamp', 'You help. 2026-11-21T10:32:07.120Z'],
    ['timestamp', 'Current time: 10:32'],
    ['timestamp', 'Conversation started Sat, 21 Nov 2026 15:48:48 GMT.'],
    ['timestamp', 'timestamp: 1795267927'],
    ['date', 'Today is November 21, 2026.'],
    ['date', "Today's date: 2026-11-21"],
    ['date', 'The current date is Saturday, 21 November 2026.'],
    ['date', 'Heute ist der 21.11.2026.'],
    ['date', 'Nous sommes aujourd’hui le 21 novembre 2026.'],
    ['date', '今日は2026年11月21日です。'],
    ['date', 'Role: helper\nDate: 2026-11-21\nTone: dry'],
    ['uuid', 'You serve 7c9e6679-7425-40de-944b-e07fc1f90ae7 alone.'],
    ['request_id', 'Request ID: 8f14e45f'],
    ['request_id', 'Answer for req_011CSHoEeqs5C35K2UUqR7Fy.'],
    ['session_id', 'session_id=ab12cd34'],
    ['session_id', 'traceparent 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    ['user_id', 'Customer number: 481-516'],
    ['random_seed', 'Random seed: 83457293'],
    ['random_seed', 'nonce=a81bc81b'],
    ['counter', 'Request #123\nYou help.'],
    ['counter', 'You help. This is message no. 17.'],
    ['memory_address', 'Tools: <shop.Tool object at 0x7f3b2c1d9e80>'],
    ['signed_url', 'See https://b.s3.amazonaws.com/a.pdf?X-Amz-Signature=0f3b9c2d1e0f3b9c2d1e'],
  ])('is a finding %s: %s', (cause, text) => {
    expect(causes(text)).toEqual([cause])
  })

  it('is reported with line and column', () => {
    expect(findings(block('You help.\nNow: it is 5.\n  Request ID: 8f14e45f'))).toMatchObject([
      { cause: 'request_id', at: '/system', line: 3, column: 3, severity: 'warning' },
    ])
  })

  it.each([
    'The company was founded in 1998 and moved on 12 May 2004.',
    'Your knowledge ends in June 2024. The law of 2021-03-14 applies.',
    'Dates look like 2026-11-21T10:32:07Z, for example.',
    'Write times as `2026-11-21T10:32:07Z`.',
    '```json\n{"request_id": "8f14e45f", "at": "2026-11-21T10:32:07Z"}\n```',
    '<example>\nToday is 2026-11-21.\n</example>',
    'The schema is at https://docs.test/d/7c9e6679-7425-40de-944b-e07fc1f90ae7.',
    'In force since 2024-01-01T00:00:00Z.',
    'Step 3: on the second request, ask for the order number.',
    'We are open today until 18:00 on weekdays.',
    'Never reveal the session id or the seed.',
  ])('is not found in: %s', (text) => {
    expect(causes(text)).toEqual([])
  })

  it('is not reported in an earlier turn, whose text does not change', () => {
    expect(causes('It broke at 2026-11-21T10:32:07Z, order 7c9e6679-7425-40de-944b-e07fc1f90ae7', 'turns')).toEqual([])
    expect(causes('Current time: 10:32', 'turns')).toEqual(['timestamp'])
  })

  it('is reported once with the stable text and the marker after it', () => {
    const stable = {
      ...block('Rules.\n'.repeat(100), 'system', '/system/1'),
      marker: { at: '/system/1/cache_control', rank: 1 },
    }
    expect(
      findings([block('Today is 2026-11-21. Now 2026-11-21T10:32:07Z', 'system', '/system/0'), stable]),
    ).toMatchObject([
      { cause: 'date' },
      { cause: 'timestamp' },
      { cause: 'volatile_before_stable', at: '/system/0', line: 1 },
      { cause: 'marker_after_volatile', at: '/system/1/cache_control' },
    ])
    const before = { ...block('Rules.\n'.repeat(100)), marker: { at: '/system/0/cache_control', rank: 1 } }
    expect(findings([before, block('Current time: 10:32')]).map(({ cause }) => cause)).toEqual(['timestamp'])
  })
})

describe('private text', () => {
  it.each([
    ['secret', key('sk-ant-api03-', 40)],
    ['secret', key('sk-proj-', 48)],
    ['secret', `AK${'IA'}QX7F2M4L9RT6W3ZP`],
    ['secret', key('ghp_', 36)],
    ['secret', `The password: ${'hunter2horse'}`],
    ['secret', `postgres://app:${'s3cr3tpass'}@db.internal/shop`],
    ['secret', `-----BEGIN RSA ${'PRIVATE KEY'}-----`],
    ['secret', `\`${key('sk-ant-api03-', 40)}\` in code`],
    ['email', 'You write for anna.schmidt@gmail.com.'],
    ['phone', 'Her number is +49 170 1234567.'],
    ['payment_card', 'Card 4539 1488 0343 6467'],
    ['iban', 'Pay to DE89 3704 0044 0532 0130 00.'],
  ])('is a finding %s, and never quoted', (cause, text) => {
    const found = findings(block(text))
    expect(found.map((one) => one.cause)).toEqual([cause])
    const json = JSON.stringify(found)
    for (const word of text.split(/\s+/).filter((one) => /\d/.test(one))) expect(json).not.toContain(word)
  })

  it.each([
    ['a team', 'Write to support@shop.io or info@shop.io.'],
    ['a domain for examples', 'An address looks right: jane@example.com'],
    ['a hotline', 'Our hotline: +49 30 901820. Free: +1 800 555 0199'],
    ['a number that fails its check', 'Part 4539 1488 0343 6468, DE89 3704 0044 0532 0130 01'],
    ['a placeholder', 'export API_KEY=your-api-key-here1 and sk-ant-xxxxxxxxxxxxxxxxxxxx'],
    ['a word', 'Ask for the password: never repeat it.'],
  ])('is not found in the data of %s', (_, text) => {
    expect(causes(text)).toEqual([])
  })
})

describe('a mistake in the text', () => {
  it.each([
    ['unrendered_template', 'You serve {{ tenant_name }}.'],
    ['unrendered_template', 'You serve ${tenant}.'],
    ['unrendered_template', '{% if vip %}Gold{% endif %}'],
    ['broken_rendering', 'Profile: [object Object]'],
    ['mixed_line_endings', 'One\r\nTwo\nThree'],
    ['trailing_whitespace', 'One \nTwo'],
    ['trailing_whitespace', 'One\nTwo  '],
    ['invisible_character', 'One\u200bTwo'],
    ['unnormalised_text', 'Cafe\u0301 around the corner'],
    ['key_order', '{"name":"a","price":1}\n{"price":2,"name":"b"}'],
  ])('is a finding %s', (cause, text) => {
    expect([...new Set(causes(text))]).toEqual([cause])
  })

  it.each([
    'Use `{{ name }}` for the name, and ${ } or { a: 1 } as they are.',
    'A line that breaks in Markdown  \nbecause of two spaces',
    'All lines\r\nend alike\r\n',
    'Café, naïve, 日本語, हिन्दी, tiếng Việt, 👩‍👩‍👧',
    '{"name":"a","price":1}\n{"name":"b","price":2}',
  ])('is not found in: %s', (text) => {
    expect(causes(text)).toEqual([])
  })
})

describe('problems of tools, markers and size', () => {
  const tools = (...names: string[]) => names.map((name, index) => ({ at: `/tools/${index}`, name, keys: ['name'] }))
  const marked = (index: number, rank = 1): Block => ({
    ...block('Rules.', 'system', `/system/${index}`),
    marker: { at: `/system/${index}/cache_control`, rank },
  })

  it('are hinted at where the tools are not sorted by name', () => {
    expect(findings([], { tools: tools('find', 'book') })).toMatchObject([
      { cause: 'unstable_tool_order', severity: 'hint', at: '/tools/1' },
    ])
    expect(findings([], { tools: tools('book', 'find') })).toEqual([])
  })

  it('are found where a tool is repeated or has another key order', () => {
    expect(findings([], { tools: tools('find', 'find') })).toMatchObject([{ cause: 'duplicate_tool', at: '/tools/1' }])
    const keys = [
      ['name', 'description', 'input_schema'],
      ['name', 'input_schema', 'cache_control'],
      ['description', 'name'],
    ]
    expect(
      findings([], { tools: keys.map((one, index) => ({ at: `/tools/${index}`, name: null, keys: one })) }),
    ).toMatchObject([{ cause: 'key_order', at: '/tools/2' }])
  })

  it('are found where the prefix is below the minimum of the model', () => {
    expect(findings(block('Hi'), { estimatedTokens: 900 })).toMatchObject([{ cause: 'below_minimum', at: '/system' }])
    expect(findings(block('Hi'), { estimatedTokens: 900, minimumTokens: null })).toEqual([])
  })

  it('are found where there are more markers than allowed', () => {
    const five = [0, 1, 2, 3, 4].map((index) => marked(index))
    expect(findings(five)).toMatchObject([{ cause: 'too_many_breakpoints', at: '/system/4/cache_control' }])
    expect(findings(five, { maxMarkers: null })).toEqual([])
  })

  it('are found where markers are more than a lookup apart, with a run counted once', () => {
    const between = Array.from({ length: 20 }, (_, index) => block('x', 'turns', `/messages/${index}`))
    expect(findings([marked(0), ...between, marked(1)])).toMatchObject([{ cause: 'distant_breakpoint' }])
    expect(findings([marked(0), ...between.slice(1), marked(1)])).toEqual([])
    expect(findings([marked(0), ...between.map((one) => ({ ...one, run: 'tool_use' })), marked(1)])).toEqual([])
  })

  it('are found where a marker has a longer retention than an earlier one', () => {
    expect(findings([marked(0), marked(1, 2)])).toMatchObject([
      { cause: 'retention_order', at: '/system/1/cache_control' },
    ])
    expect(findings([marked(0, 2), marked(1)])).toEqual([])
  })
})

it('returns few findings for hostile texts', () => {
  const hostile = ['`', '<example>', '{{ ', 'a@', '{"a":', '1 ', '+1 ', ' \t', '00-', 'today '].map((piece) =>
    findings(block(piece.repeat(MAX_LINT_CHARACTERS / piece.length))),
  )
  for (const found of hostile) expect(found.length).toBeLessThan(20)
  expect(
    findings(block('Request ID: 8f14e45f\n'.repeat(1_000))).filter(({ cause }) => cause === 'request_id'),
  ).toHaveLength(5)
})
