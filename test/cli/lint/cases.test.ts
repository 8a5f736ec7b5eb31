import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { warmBody } from '../../../src/contract/warm.ts'
import { parseBody, WARM_RAW } from '../../../src/registration/json-body.ts'
import { prepareWarm } from '../../../src/registration/prepare.ts'
import type { FileFinding } from '../../../src/cli/lint/file.ts'
import { corpus } from '../../../bench/diagnose/corpus.ts'
import { NOW, run } from '../support.ts'

const cases = join(import.meta.dirname, '../../cases/lint')
const bodies = join(import.meta.dirname, '../../cases/bodies')
const folder = mkdtempSync(join(tmpdir(), 'lint-cases-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function findings(...files: string[]): Promise<FileFinding[]> {
  const { out } = await run(['lint', ...files, '--json'])
  return JSON.parse(out).findings
}

/** Findings of a registration of the same body. */
function registered(file: string): string[] {
  const body = parseBody(
    `{"provider":"anthropic","request":${readFileSync(join(cases, file), 'utf8')}}`,
    warmBody,
    WARM_RAW,
  )
  return prepareWarm(body, NOW, { anySize: true }).registration.advice.map(
    ({ cause, severity, at, line, column }) => `${severity} ${cause} ${at}:${line ?? '-'}:${column ?? '-'}`,
  )
}

describe('a line that changes with each request, in a body', () => {
  it.each([
    ['billing-header.json', 'warning', 'random_seed'],
    ['cache-bust.json', 'warning', 'random_seed'],
    ['currentdate.json', 'warning', 'date'],
    ['xml-date.json', 'warning', 'date'],
    ['js-date.json', 'warning', 'date'],
    ['currently-pm.json', 'warning', 'timestamp'],
    ['iteration.json', 'warning', 'counter'],
    ['tokens-used.json', 'warning', 'counter'],
    ['cwd.json', 'hint', 'environment'],
    ['git-status.json', 'hint', 'environment'],
  ])('is found in a file and at registration alike: %s is a %s %s', async (name, severity, cause) => {
    const found = await findings(join(cases, name))
    expect(found[0]).toMatchObject({ severity, cause, pointer: '/system/0/text' })
    const seen = registered(name)
    expect(seen[0]).toContain(`${severity} ${cause} /request/system/0/text:`)
    expect(seen.map((one) => one.split(' ')[1])).toEqual(found.map((one) => one.cause))
  })
})

describe('a body that a provider takes in another way than it reads', () => {
  it.each<[string, ...[string, string, string][]]>([
    ['betas-in-body.json', ['warning', 'sdk_member', '/betas']],
    ['empty-marked-system.json', ['warning', 'marker_on_empty_text', '/system/1/cache_control']],
    ['ttl-number.json', ['warning', 'marker_ttl', '/system/0/cache_control/ttl']],
    ['openai-prompt-id.json', ['warning', 'refused', '/prompt']],
    ['openrouter-provider-object.json', ['hint', 'conversation_pinned', '']],
    ['converse-modelid.json'],
    ['document-single-turn.json'],
  ])('is found to have just its faults: %s', async (name, ...right) => {
    const found = await findings(join(bodies, name))
    expect(found.map(({ severity, cause, pointer }) => [severity, cause, pointer])).toEqual(right)
  })
})

const RULES = 'You help with tents, stoves and mats for a shop in the mountains, and keep to its rules. '.repeat(100)
const MARK = { cache_control: { type: 'ephemeral' } }
const body = (over: object = {}, intro = 'You are Mia.') => ({
  model: 'claude-opus-4-8',
  max_tokens: 9,
  system: [
    { type: 'text', text: intro },
    { type: 'text', text: RULES, ...MARK },
  ],
  messages: [{ role: 'user', content: 'x' }],
  ...over,
})
let files = 0
function file(content: object, space?: number): string {
  const path = join(folder, `${++files}.json`)
  writeFileSync(path, JSON.stringify(content, null, space))
  return path
}
/** What is found of two bodies together that is not found of each alone. */
async function together(first: string, second: string): Promise<FileFinding[]> {
  const alone = (await findings(first)).length + (await findings(second)).length
  return (await findings(first, second)).slice(alone)
}

describe('two bodies of one application', () => {
  it('that differ in a value in front: the place, and how much stands behind it', async () => {
    const [first, second] = [join(cases, 'pair-a.json'), join(cases, 'pair-b.json')]
    const found = await together(first, second)
    const text = readFileSync(second, 'utf8')
    const at = text.indexOf('cch=')
    expect(found).toMatchObject([
      { file: second, severity: 'warning', cause: 'prefix_differs', pointer: '/system/0/text' },
    ])
    expect(found[0]).toMatchObject({
      line: text.slice(0, at).split('\n').length,
      column: at - text.lastIndexOf('\n', at),
    })
    expect(found[0]?.message).toMatch(/about 1,[4-9]\d\d tokens/)
    expect(found[0]?.message).toContain('pair-a.json')
  })

  it("that have the members of a tool's schema in two orders", async () => {
    const second = join(cases, 'pair-keyorder-b.json')
    expect(await together(join(cases, 'pair-keyorder-a.json'), second)).toMatchObject([
      { file: second, severity: 'warning', cause: 'key_order', pointer: '/tools/0/input_schema/properties' },
    ])
  })

  it.each<[string, object, object, string, string]>([
    ['a word', body(), body({}, 'You are Max.'), 'prefix_differs', '/system/0/text'],
    [
      'a tool of which one was changed',
      body({ tools: [{ name: 'look', description: 'Looks.', input_schema: {} }] }),
      body({ tools: [{ name: 'look', description: 'Sees.', input_schema: {} }] }),
      'prefix_differs',
      '/tools/0/description',
    ],
    [
      'a value in the middle of one long text',
      { ...body(), system: [{ type: 'text', text: `Build 4711.\n${RULES}`, ...MARK }] },
      { ...body(), system: [{ type: 'text', text: `Build 4712.\n${RULES}`, ...MARK }] },
      'prefix_differs',
      '/system/0/text',
    ],
    [
      'a word in a body of POST /warm',
      { provider: 'anthropic', request: body() },
      { provider: 'anthropic', request: body({}, 'You are Max.') },
      'prefix_differs',
      '/request/system/0/text',
    ],
    [
      'a word of a chat',
      { model: 'gpt-5.6-sol', messages: [{ role: 'system', content: `Build 1. ${RULES}` }] },
      { model: 'gpt-5.6-sol', messages: [{ role: 'system', content: `Build 2. ${RULES}` }] },
      'prefix_differs',
      '/messages/0/content',
    ],
    [
      'the end of their text',
      { ...body(), system: [{ type: 'text', text: `${RULES}Anna.`, ...MARK }] },
      { ...body(), system: [{ type: 'text', text: `${RULES}Bert.`, ...MARK }] },
      'text_changed',
      '/system/0/text',
    ],
    [
      'a short nonce',
      { ...body(), system: [{ type: 'text', text: 'Be brief. Run 7f3a9c21e4b80d56.', ...MARK }] },
      { ...body(), system: [{ type: 'text', text: 'Be brief. Run c04be1978a2f63d5.', ...MARK }] },
      'id_in_prefix',
      '/system/0/text',
    ],
    [
      'one tool of two',
      body({ tools: [{ name: 'look', input_schema: {} }] }),
      body({ tools: ['buy', 'look'].map((name) => ({ name, input_schema: {} })) }),
      'tools_differ',
      '/tools/0',
    ],
    [
      'the order of the members of a short schema',
      body({ tools: [{ name: 'look', input_schema: { type: 'object', properties: {} } }], system: 'Be brief.' }),
      body({ tools: [{ name: 'look', input_schema: { properties: {}, type: 'object' } }], system: 'Be brief.' }),
      'key_order',
      '/tools/0',
    ],
    ['their model alone', body(), body({ model: 'claude-sonnet-5-5' }), 'model_changed', '/model'],
    [
      'their model alone, in the neutral form',
      { provider: 'anthropic', model: 'claude-opus-4-8', system: RULES },
      { provider: 'anthropic', model: 'claude-sonnet-5-5', system: RULES },
      'model_changed',
      '/model',
    ],
    [
      'an earlier turn of a chat',
      {
        model: 'gpt-5.6-sol',
        messages: ['Be kind.', 'Where is the ford?', 'At the mill.'].map((content, at) => ({
          role: ['system', 'user', 'assistant'][at],
          content,
        })),
      },
      {
        model: 'gpt-5.6-sol',
        messages: ['Be kind.', 'Where is the [cut]?', 'At the mill.', 'Is it deep?'].map((content, at) => ({
          role: ['system', 'user', 'assistant', 'user'][at],
          content,
        })),
      },
      'history_rewritten',
      '/messages/1/content',
    ],
  ])('that differ in %s', async (_what, first, second, cause, pointer) => {
    const later = file(second)
    expect(await together(file(first), later)).toMatchObject([{ file: later, severity: 'warning', cause, pointer }])
  })

  it.each<[string, object, object]>([
    ['the same bytes', body(), body()],
    ['what stands behind the prefix', body(), body({ messages: [{ role: 'user', content: 'y' }], temperature: 0.3 })],
    ['a turn more', body(), body({ messages: [{ role: 'user', content: [{ type: 'text', text: 'x', ...MARK }] }] })],
    [
      'the places of their markers',
      body(),
      {
        ...body(),
        system: [
          { type: 'text', text: 'You are Mia.', ...MARK },
          { type: 'text', text: RULES, ...MARK },
        ],
      },
    ],
    [
      'their tools and their text: they are two agents',
      body({ tools: [{ name: 'look', input_schema: {} }] }),
      body({
        tools: ['buy', 'look'].map((name) => ({ name, input_schema: {} })),
        system: [{ type: 'text', text: 'Judge poems by their metre alone. '.repeat(300), ...MARK }],
      }),
    ],
    ['their model', body(), body({ model: 'claude-sonnet-5-5' }, 'You are Max.')],
    [
      'all of their text: they are two applications',
      body(),
      {
        ...body({}, 'You are Max.'),
        system: [{ type: 'text', text: 'Judge poems by their metre alone. '.repeat(300), ...MARK }],
      },
    ],
  ])('that differ in %s: nothing is said', async (_what, first, second) => {
    expect(await together(file(first), file(second))).toEqual([])
  })

  it.each(['anthropic', 'openai-chat', 'gemini'])('are told what `why` says of them: %s', async (format) => {
    const others: string[] = []
    for (const { name, text } of corpus().filter((one) => one.format === format)) {
      const { before, after, provider } = JSON.parse(text)
      if (before.request === undefined || after.request === undefined) continue
      const model = after.model ?? before.model
      const pair = [file(before.request), file(after.request)] as const
      const asked = [...(provider === undefined ? [] : ['--provider', provider]), ...(model ? ['--model', model] : [])]
      const why = await run(['why', ...pair, ...asked, '--json'])
      const alone = await Promise.all(pair.map((one) => findings(one, ...asked)))
      const found = (await findings(...pair, ...asked)).slice(alone.flat().length)
      const verdict = why.code === 64 ? null : JSON.parse(why.out).verdict
      // Sizes and counts of markers are faults that each body shows alone.
      const isSilent = ['no_miss', 'unknown', 'below_minimum', 'too_many_markers', null].includes(verdict)
      const right = isSilent ? found.every((one) => one.verdict === undefined) : found[0]?.verdict === verdict
      if (!right) others.push(`${name}: ${verdict}, and ${found.map((one) => one.verdict).join()}`)
    }
    expect(others).toEqual([])
  })

  it('are compared whatever spaces the JSON has', async () => {
    expect(await together(file(body(), 2), file(body()))).toEqual([])
  })
})

describe('two bodies of one application that differ by a tool', () => {
  const body = (...names: string[]) => ({
    model: 'claude-opus-5',
    tools: names.map((name) => ({ name, input_schema: { type: 'object' } })),
    system: 'Be brief.',
    messages: [{ role: 'user', content: 'Hello' }],
  })
  const file = (name: string, value: unknown): string => {
    const path = join(folder, name)
    writeFileSync(path, JSON.stringify(value))
    return path
  }
  const causes = async (...bodies: unknown[]) =>
    (await findings(...bodies.map((one, index) => file(`tools-${index}.json`, one)))).map(
      ({ cause, pointer }) => `${cause} ${pointer}`,
    )

  it('are a warning that names the tool', async () => {
    const found = await findings(
      file('more.json', body('find', 'price', 'ship')),
      file('less.json', body('find', 'price')),
    )
    const [warning] = found.filter(({ cause }) => cause === 'tools_differ')
    expect(warning).toMatchObject({ severity: 'warning', pointer: '/tools' })
    expect(warning?.message).toContain('"ship"')
  })

  it('are none where the tools are those of another agent', async () => {
    expect(await causes(body('find', 'price', 'ship'), body('search', 'mail', 'note'))).not.toContain(
      'tools_differ /tools',
    )
    expect(await causes(body('find', 'price'), body('find', 'price'))).not.toContain('tools_differ /tools')
  })
})
