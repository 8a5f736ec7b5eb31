import { describe, expect, it } from 'vitest'
import { get, longText, pick, post, received, useLab, warmedId } from './support.ts'
import type { Answer } from './support.ts'
import profile from '../cases/warm/bedrock-inference-profile-arn.json' with { type: 'json' }
import deferredSize from '../cases/warm/deferred-size.json' with { type: 'json' }
import deferredTail from '../cases/warm/deferred-tail-marked.json' with { type: 'json' }
import mcpToken from '../cases/warm/mcp-token-anthropic.json' with { type: 'json' }
import poison from '../cases/warm/poison-marker-type.json' with { type: 'json' }
import thinking from '../cases/warm/thinking-4000.json' with { type: 'json' }
import betas from '../cases/bodies/betas-in-body.json' with { type: 'json' }
import converse from '../cases/bodies/converse-modelid.json' with { type: 'json' }
import document from '../cases/bodies/document-single-turn.json' with { type: 'json' }
import emptyMarked from '../cases/bodies/empty-marked-system.json' with { type: 'json' }
import promptId from '../cases/bodies/openai-prompt-id.json' with { type: 'json' }
import routed from '../cases/bodies/openrouter-provider-object.json' with { type: 'json' }
import ttlNumber from '../cases/bodies/ttl-number.json' with { type: 'json' }
import messageTier from '../cases/observe/message-tier.json' with { type: 'json' }
import rollingMarkers from '../cases/observe/rolling-markers.json' with { type: 'json' }
import sameMeaning from '../cases/observe/same-meaning.json' with { type: 'json' }
import serverTool from '../cases/usage/server-tool-cold.json' with { type: 'json' }
import langchain from '../cases/usage/usage-langchain.json' with { type: 'json' }

/** The files of `test/cases` on the running product. Each table has one row for a file. */

const world = useLab()

const causes = (answer: Answer): unknown[] => (pick(answer, 'advice') as { cause: string }[]).map(({ cause }) => cause)

/** Sends a real request past Pilotlight, and returns its usage. */
async function sent(body: unknown): Promise<Record<string, number>> {
  const answer = await world.lab.fetch(
    new Request('http://lab.test/anthropic/v1/messages', {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', 'x-api-key': 'lab', 'anthropic-version': '2023-06-01' },
    }),
  )
  const { usage } = (await answer.json()) as { usage?: Record<string, number> }
  expect([answer.status, usage]).toEqual([200, expect.any(Object)])
  return usage ?? {}
}

describe('a real request that begins with a registered prefix', () => {
  // The three files register one body, so that hits are counted from what there was before.
  it.each([
    ['message-tier', messageTier],
    ['rolling-markers', rollingMarkers],
    ['same-meaning', sameMeaning],
  ])('reads its entry, and is matched to it: %s', async (name, { provider, register, variants }) => {
    const warmed = await post('/warm', { provider, request: register, keep_warm: { plan: 'off' } })
    const id = String(pick(warmed, 'id'))
    const before = await get(`/prefixes/${id}`)
    const size = Number(pick(before, 'measured_tokens'))
    expect(size).toBeGreaterThan(3_000)
    for (const [index, request] of variants.entries()) {
      const started_at = Date.now()
      const usage = await sent(request)
      expect([index, (usage['cache_read_input_tokens'] ?? 0) > size * 0.95]).toEqual([index, true])
      const observed = await post('/observations', [{ provider, request, usage, started_at }])
      expect([index, pick(observed, 'data', 0)]).toEqual([index, { prefix_id: id, matched: true }])
      // Markers on later turns make another prefix of it, which begins with this one.
      const again = await post('/warm', { provider, request, dry_run: true })
      expect([index, pick(again, 'id') === id]).toEqual([index, name !== 'rolling-markers'])
    }
    const hits = Number(before.json['hits']) + variants.length
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({ hits, misses: 0, drift: null })
  })
})

describe('a body that a provider refuses', () => {
  it('leaves nothing in the way of the corrected one: poison-marker-type', async () => {
    const [bad, good] = poison.steps
    const refused = await post('/warm', bad)
    expect([refused.status, pick(refused, 'error', 'detail', 'cause')]).toEqual([400, 'marker_type'])
    expect(received(world.lab)).toHaveLength(0)
    const warmed = await post('/warm', good)
    expect(warmed.json).toMatchObject({ created: true, receipt: { kind: 'written' } })
    expect((await post(`/prefixes/${String(pick(warmed, 'id'))}/warm`)).json).toMatchObject({
      receipt: { kind: 'full' },
    })
  })

  it.each([
    ['betas-in-body', betas, 'betas', 'sdk_member'],
    ['empty-marked-system', emptyMarked, 'system[1].cache_control', 'marker_on_empty_text'],
    ['ttl-number', ttlNumber, 'system[0].cache_control.ttl', 'marker_ttl'],
  ])('is refused with its place before it is sent: %s', async (_, request, place, cause) => {
    const answer = await post('/warm', { provider: 'anthropic', request, keep_warm: { plan: 'off' } })
    expect([answer.status, pick(answer, 'error', 'detail')]).toEqual([
      400,
      expect.objectContaining({ cause, field: `request.${place}` }),
    ])
    expect(received(world.lab)).toHaveLength(0)
    // The provider refuses it too.
    const there = await world.lab.fetch(
      new Request('http://lab.test/anthropic/v1/messages', {
        method: 'POST',
        body: JSON.stringify({ ...request, messages: [{ role: 'user', content: 'Who?' }] }),
        headers: { 'content-type': 'application/json', 'x-api-key': 'lab', 'anthropic-version': '2023-06-01' },
      }),
    )
    expect(there.status).toBe(400)
  })

  it('is refused where the provider keeps its text: openai-prompt-id', async () => {
    const answer = await post('/warm', { provider: 'openai', request: promptId, keep_warm: { plan: 'off' } })
    expect(answer.json).toMatchObject({ error: { kind: 'unsupported', detail: { field: 'request.prompt' } } })
    expect(pick(answer, 'error', 'message')).toContain('that the provider keeps')
  })
})

describe('a body that no longer is misread', () => {
  it('is read as Converse with a model by modelId: converse-modelid', async () => {
    const warmed = await post('/warm', { provider: 'bedrock', request: converse, keep_warm: { plan: 'off' } })
    expect(warmed.json).toMatchObject({ receipt: { kind: 'written' } })
    expect((await get(`/prefixes/${String(pick(warmed, 'id'))}`)).json).toMatchObject({ model: converse.modelId })
  })

  it('ends its prefix with the document in front of the question: document-single-turn', async () => {
    const warmed = await post('/warm', { provider: 'anthropic', request: document, keep_warm: { plan: 'off' } })
    expect(warmed.json).toMatchObject({ receipt: { kind: 'written' } })
    const asked = {
      ...document.messages[0]!,
      content: [document.messages[0]!.content[0], { type: 'text', text: 'When?' }],
    }
    const usage = await sent({ ...document, messages: [asked] })
    expect(usage['cache_read_input_tokens']).toBe(pick(warmed, 'receipt', 'usage', 'cache_write_input_tokens'))
  })

  it('has a routing object and no envelope: openrouter-provider-object', async () => {
    const rendered = await post('/render', { provider: 'openrouter', request: routed })
    expect([rendered.status, pick(rendered, 'model')]).toEqual([200, routed.model])
    expect(causes(rendered)).not.toContain('refused')
  })

  it('has the card of the model that its ARN names: bedrock-inference-profile-arn', async () => {
    const answer = await post('/warm', profile.body)
    expect(answer.status).toBe(200)
    expect(causes(answer)).not.toEqual(expect.arrayContaining(['retention_unknown']))
    expect(Number(pick(answer, 'plan', 'probe_cost_usd'))).toBeGreaterThan(0)
  })
})

describe('deferred tools', () => {
  it('have no part in the size of a prefix: deferred-size', async () => {
    const rendered = await post('/render', deferredSize.body)
    expect(pick(rendered, 'estimated_tokens')).toBeLessThan(200)
    expect(causes(rendered)).toContain('below_minimum')
  })

  it('bear no marker: deferred-tail-marked', async () => {
    const warmed = await post('/warm', { ...deferredTail.body, keep_warm: { plan: 'off' } })
    expect(warmed.json).toMatchObject({ receipt: { kind: 'written' } })
    const { tools } = JSON.parse(received(world.lab)[0]?.body ?? '') as {
      tools: { name: string; cache_control?: unknown }[]
    }
    expect(tools.filter((tool) => tool.cache_control !== undefined).map(({ name }) => name)).toEqual(['brook'])
  })
})

it('the token of an MCP server is named, and is no content: mcp-token-anthropic', async () => {
  const rendered = await Promise.all(mcpToken.bodies.map((body) => post('/render', body)))
  expect(new Set(rendered.map((answer) => pick(answer, 'fingerprint'))).size).toBe(1)
  for (const [index, answer] of rendered.entries()) {
    expect(pick(answer, 'advice')).toContainEqual(
      expect.objectContaining({ cause: 'secret', at: '/request/mcp_servers/0/authorization_token' }),
    )
    const token = mcpToken.bodies[index]!.request.mcp_servers[0]!.authorization_token
    expect(answer.text).not.toContain(token)
  }
})

it('a budget for thinking makes no probe dearer: thinking-4000', async () => {
  const { thinking: _budget, ...plain } = thinking.body.request
  const [with4000, without] = await Promise.all(
    [thinking.body.request, plain].map((request) => post('/warm', { ...thinking.body, request })),
  )
  const costOf = (answer: Answer | undefined) => pick(answer!, 'plan', 'probe_cost_usd')
  expect(costOf(with4000)).toEqual(expect.any(Number))
  expect(costOf(with4000)).toBe(costOf(without))
  expect(causes(with4000!)).not.toContain('breaking_parameter')
})

describe('a usage object of a real request', () => {
  it.each([
    ['server-tool-cold', serverTool, { hits: 0 }],
    ['usage-langchain', langchain, { hits: 1, misses: 0, last_hit: { cached_tokens: 6_300 } }],
  ])('counts for what it shows: %s', async (_, { usage }, counted) => {
    const id = await warmedId({
      model: 'claude-opus-4-8',
      max_tokens: 90,
      system: [
        { type: 'text', text: longText(_ === 'server-tool-cold' ? 340 : 280), cache_control: { type: 'ephemeral' } },
      ],
      messages: [],
    })
    const observed = await post('/observations', [{ prefix_id: id, usage, started_at: Date.now() }])
    expect(pick(observed, 'data', 0, 'matched')).toBe(true)
    expect((await get(`/prefixes/${id}`)).json).toMatchObject(counted)
  })
})
