// Reports the usage of real requests from an application with the official Anthropic SDK: one plain answer, one stream.
// Runs against `npm start`, where the lab replaces Anthropic.
//
//   npx node examples/observe-anthropic.mjs
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'

const pilotlight = process.env.PILOTLIGHT_URL ?? 'http://localhost:8787'
const key = process.env.PILOTLIGHT_KEY ?? 'pilotlight-dev'
const anthropic = new Anthropic({
  apiKey: process.env.ANTHROPIC_API_KEY ?? 'lab',
  baseURL: process.env.ANTHROPIC_BASE_URL ?? `${process.env.LAB_URL ?? 'http://localhost:8788'}/anthropic`,
})

async function call(path, body, method = body === undefined ? 'GET' : 'POST') {
  const answer = await fetch(pilotlight + path, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const json = await answer.json()
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${json.error?.message}`)
  return json
}

/** With the lab, time may run faster than yours. With Anthropic itself this is simply new Date(). */
const now = async () => (await call('/health')).now

// The one definition of the requests' common part: registered below, and spread into each request.
const shared = {
  model: 'claude-opus-4-8',
  max_tokens: 256,
  tools: [
    {
      name: 'look_up',
      description: 'Finds a page.',
      input_schema: { type: 'object', properties: { page: { type: 'integer' } } },
    },
  ],
  system: [
    {
      type: 'text',
      text: `Edition ${crypto.randomUUID()}.${' You answer questions about the river handbook.'.repeat(200)}`,
      cache_control: { type: 'ephemeral' },
    },
  ],
}
const { id, receipt } = await call('/warm', {
  name: 'example-anthropic',
  provider: 'anthropic',
  request: { ...shared, messages: [] },
  keep_warm: { plan: { probes: 3 } },
})
assert.equal(receipt.kind, 'written')

const firstAt = await now()
const message = await anthropic.messages.create({
  ...shared,
  messages: [{ role: 'user', content: 'Where is the ford?' }],
})
assert.ok(message.usage.cache_read_input_tokens > 2000)

const secondAt = await now()
const stream = anthropic.messages.stream({ ...shared, messages: [{ role: 'user', content: 'And the mill?' }] })
const streamed = await stream.finalMessage()
assert.ok(streamed.usage.cache_read_input_tokens > 2000)

// The usage object is sent as the SDK returns it. One call reports several requests.
const { data } = await call('/observations', [
  { prefix_id: id, usage: message.usage, started_at: firstAt },
  { prefix_id: id, usage: streamed.usage, started_at: secondAt },
])
assert.deepEqual(
  data.map(({ matched }) => matched),
  [true, true],
)

const { hits, misses, last_hit: lastHit } = await call(`/prefixes/${id}`)
console.log(`${hits} hits, ${misses} misses; the last one read ${lastHit.cached_tokens} tokens from the cache`)
assert.deepEqual([hits, misses], [2, 0])

await call(`/prefixes/${id}`, undefined, 'DELETE')
