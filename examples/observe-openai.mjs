// Reports the usage of real requests from an application with the official OpenAI SDK, on the Responses API: one plain answer, one
// stream. Here the request itself names the prefix, not an id. Runs against `npm start`, where the lab replaces OpenAI.
//
//   npx node examples/observe-openai.mjs
import assert from 'node:assert/strict'
import OpenAI from 'openai'

const pilotlight = process.env.PILOTLIGHT_URL ?? 'http://localhost:8787'
const key = process.env.PILOTLIGHT_KEY ?? 'pilotlight-dev'
const openai = new OpenAI({
  apiKey: process.env.OPENAI_API_KEY ?? 'lab',
  baseURL: process.env.OPENAI_BASE_URL ?? `${process.env.LAB_URL ?? 'http://localhost:8788'}/openai/v1`,
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

/** With the lab, time may run faster than yours. With OpenAI itself this is simply new Date(). */
const now = async () => (await call('/health')).now

const developer = {
  role: 'developer',
  content: [
    {
      type: 'input_text',
      text: `Edition ${crypto.randomUUID()}.${' You answer questions about the river handbook.'.repeat(200)}`,
      prompt_cache_breakpoint: { mode: 'explicit' },
    },
  ],
}
/** One request of this application: the common part, then the question. */
const request = (question) => ({
  model: 'gpt-5.6-sol',
  input: question === null ? [developer] : [developer, { role: 'user', content: question }],
})

const { id, receipt } = await call('/warm', {
  name: 'example-openai',
  provider: 'openai',
  request: request(null),
  keep_warm: { plan: { probes: 3 } },
})
assert.equal(receipt.kind, 'written')

const firstAt = await now()
const first = request('Where is the ford?')
const response = await openai.responses.create(first)
assert.ok(response.usage.input_tokens_details.cached_tokens > 2000)

const secondAt = await now()
const second = request('And the mill?')
let usage = null
for await (const event of await openai.responses.create({ ...second, stream: true })) {
  if (event.type === 'response.completed') usage = event.response.usage
}
assert.ok(usage.input_tokens_details.cached_tokens > 2000)

// The requests are fingerprinted and not stored. The question after the prefix does not matter.
const { data } = await call('/observations', [
  { provider: 'openai', request: first, usage: response.usage, started_at: firstAt },
  { provider: 'openai', request: second, usage, started_at: secondAt },
])
assert.deepEqual(data, [
  { prefix_id: id, matched: true },
  { prefix_id: id, matched: true },
])

const { hits, misses, last_hit: lastHit } = await call(`/prefixes/${id}`)
console.log(`${hits} hits, ${misses} misses; the last one read ${lastHit.cached_tokens} tokens from the cache`)
assert.deepEqual([hits, misses], [2, 0])

await call(`/prefixes/${id}`, undefined, 'DELETE')
