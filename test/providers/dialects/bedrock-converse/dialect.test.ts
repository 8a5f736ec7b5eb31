import { describe, expect, test } from 'vitest'
import { causes, provider, refusal } from '../../prepared.ts'

const MODEL = 'eu.anthropic.claude-opus-4-8-v1:0'
const { dialect, facts, prepare: prepareBody, probe: probeBody } = provider('bedrock')
const prepare = (body: object, cache?: Parameters<typeof prepareBody>[1]) => prepareBody(body, cache, MODEL)
const point = (ttl?: string) => ({ cachePoint: { type: 'default', ...(ttl === undefined ? {} : { ttl }) } })
const said = (role: string, ...content: object[]) => ({ role, content })
const text = (value: string) => ({ text: value })
const question = said('user', text('Where is my order?'))
const tools = [{ toolSpec: { name: 'find', inputSchema: { json: { type: 'object' } } } }]
const probe = (body: object, options: Parameters<typeof probeBody>[1] = {}) => {
  const prefix = prepare(body, options.cache)
  const primitive = options.primitive ?? dialect.primitives(prefix.text, facts(MODEL))[0]!
  const sent = dialect.probe(prefix, { ...options, primitive, retention: options.retention ?? prefix.retention })
  return { ...sent, json: JSON.parse(sent.body) as Record<string, unknown> }
}

test('a probe ends in a cache point and a placeholder turn, and asks for one token', () => {
  const { path, json, outputTokens } = probe({ system: [text('Rules')], messages: [question] })
  expect(path).toBe('/model/eu.anthropic.claude-opus-4-8-v1%3A0/converse')
  expect(json).toEqual({
    system: [text('Rules'), point()],
    messages: [said('user', text('.'))],
    inferenceConfig: { maxTokens: 1 },
  })
  expect(outputTokens).toBe(1)
})

test('a probe asks for one token, and leaves out the sampling', () => {
  const body = { system: [text('Rules')], messages: [question], inferenceConfig: { temperature: 0, maxTokens: 900 } }
  expect(probe(body).json['inferenceConfig']).toEqual({ maxTokens: 1 })
})

test('a prefix of tools ends in a point among the tools', () => {
  const { json } = probe({ toolConfig: { tools }, messages: [question] })
  expect(json['toolConfig']).toEqual({ tools: [...tools, point()] })
})

describe('where the prefix ends', () => {
  const shots = [question, said('assistant', text('Soon.')), said('user', text('And now?'))]

  test('at the system prompt, unless a cache point ends it later', () => {
    expect(prepare({ system: [text('Rules')], messages: shots }).breakpoint.path).toBe('system[0]')
    const marked = [said('user', text('Long'), point()), said('assistant', text('Yes.')), question]
    expect(prepare({ system: [text('Rules')], messages: marked }).breakpoint.path).toBe('messages[0].content[0]')
    expect(causes(prepare({ system: [text('Rules')], messages: marked }))).toEqual([])
  })

  test('a cache point in the final turn is behind the prefix', () => {
    const body = { system: [text('Rules')], messages: [said('user', text('Now?'), point())] }
    const prefix = prepare(body)
    expect(prefix.breakpoint.path).toBe('system[0]')
    expect(causes(prefix)).toEqual(['end_not_marked'])
  })

  test("the placeholder joins a user's last message, because roles must alternate", () => {
    const { json } = probe({ messages: shots }, { cache: { strategy: { explicit: [{ itemEnd: 2 }] } } })
    expect(json['messages']).toEqual([shots[0], shots[1], said('user', text('And now?'), point(), text('.'))])
  })

  test('at the end that the caller names', () => {
    const { json } = probe({ messages: shots }, { cache: { strategy: { last: 1 } } })
    expect(json['messages']).toEqual([shots[0], said('assistant', text('Soon.'), point()), said('user', text('.'))])
    const whole = { system: [text('Rules')], toolConfig: { tools }, messages: [question] }
    const ends = prepare(whole, { strategy: { explicit: [{ toolsEnd: true }] } })
    expect(ends.breakpoint.path).toBe('toolConfig.tools[0]')
    expect(ends.text).not.toContain('Rules')
  })

  test('not between a tool use and its result', () => {
    const use = said('assistant', { toolUse: { toolUseId: '1', name: 'find', input: {} } })
    const failure = refusal(() => prepare({ messages: [question, use, question] }, { strategy: { last: 1 } }))
    expect(failure.message).toContain('tool use')
  })
})

describe('points', () => {
  test('are not compared', () => {
    const plain = prepare({ system: [text('Rules')], messages: [question] })
    const marked = prepare({ system: [text('Rules'), point()], messages: [question] })
    expect(marked.canonical).toBe(plain.canonical)
    expect(prepare({ system: [text('Other')], messages: [question] }).canonical).not.toBe(plain.canonical)
  })

  test('all have the retention of the probe', () => {
    const body = {
      system: [text('Rules'), point('1h')],
      toolConfig: { tools: [...tools, point()] },
      messages: [question],
    }
    const prefix = prepare(body)
    expect(prefix.retention).toBe('1h')
    const { json } = probe(body)
    expect(json['system']).toEqual([text('Rules'), point('1h')])
    expect(json['toolConfig']).toEqual({ tools: [...tools, point('1h')] })
  })

  test('are at most four: the first one makes room for the one at the end', () => {
    const four = [0, 1, 2, 3].flatMap((n) => [text(`Part ${n}`), point()])
    const body = { system: [...four, text('End')], messages: [question] }
    const { json } = probe(body)
    const system = json['system'] as object[]
    expect(system.filter((block) => 'cachePoint' in block)).toHaveLength(4)
    expect(system.slice(-2)).toEqual([text('End'), point()])
    expect(system[1]).toEqual(text('Part 1'))
    expect(refusal(() => prepare({ ...body, system: [...four, text('x'), point()] })).kind).toBe('invalid_request')
  })
})

test('enabled thinking stays where turns are cached, and the cap exceeds its budget', () => {
  const additionalModelRequestFields = { thinking: { type: 'enabled', budget_tokens: 2048 } }
  const { json, outputTokens } = probe({
    messages: [{ role: 'user', content: [text('Q'), point()] }, said('assistant', text('A')), question],
    additionalModelRequestFields,
  })
  expect(json).toMatchObject({ additionalModelRequestFields, inferenceConfig: { maxTokens: 2049 } })
  expect(outputTokens).toBe(2049)
})

test('the model comes beside the body or as modelId, and cannot change the path', () => {
  const body = { modelId: MODEL, system: [text('Rules')], messages: [question] }
  expect(prepareBody(body).model).toBe(MODEL)
  expect(probe(body).json).not.toHaveProperty('modelId')
  expect(refusal(() => prepareBody(body, undefined, 'other')).kind).toBe('invalid_request')
  expect(refusal(() => prepareBody({ messages: [question] })).kind).toBe('invalid_request')
  for (const odd of ['a?b=c', 'a b', 'a#b', '']) {
    expect(refusal(() => prepareBody({ messages: [question] }, undefined, odd)).kind).toBe('invalid_request')
  }
  const arn = 'arn:aws:bedrock:eu-central-1:123456789012:inference-profile/../x'
  const prefix = prepareBody({ system: [text('Rules')], messages: [] }, undefined, arn)
  const { path } = dialect.probe(prefix, { primitive: 'one_token', retention: '5m' })
  expect(path.split('/')).toHaveLength(4) // whatever it holds, it is one step
})

test('the neutral form ends in a cache point', () => {
  const parametersText = '{"type":"object"}'
  const render = (rest: object) =>
    JSON.parse(dialect.render({ model: MODEL, tools: [{ name: 'find', parametersText }], ...rest })) as object
  expect(render({})).toMatchObject({ toolConfig: { tools: [tools[0], point()] } })
  expect(
    render({ system: 'Rules', cache: { mode: 'best_effort', strategy: 'automatic', retention: '1h' } }),
  ).toMatchObject({ system: [text('Rules'), point('1h')], toolConfig: { tools: [{}] } })
  expect(render({ system: 'Rules', messages: [{ role: 'user', content: 'Hi' }] })).toMatchObject({
    system: [text('Rules')],
    messages: [said('user', text('Hi'), point())],
  })
})

test("AWS's own minimums apply, and regions cost a tenth more", () => {
  expect(facts('anthropic.claude-opus-4-7-v1:0').minimumTokens).toBe(4096)
  expect(facts('us.anthropic.claude-sonnet-4-5-20250929-v1:0').price?.inputNanosPerMTok).toBe(3.3e9)
  expect(facts('global.anthropic.claude-sonnet-4-5-20250929-v1:0').price?.inputNanosPerMTok).toBe(3e9)
  expect(facts('us.anthropic.claude-opus-5').price?.cacheReadNanosPerMTok).toBe(0.55e9)
  expect(facts('us.anthropic.claude-opus-5-5').price?.cacheReadNanosPerMTok).toBe(0.22e9)
  expect(facts('amazon.nova-pro-v1:0').retentions.map(({ name }) => name)).toEqual(['5m'])
})
