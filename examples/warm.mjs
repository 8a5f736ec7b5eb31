// A first use, with fetch alone: registers a prefix, shows its receipt and its state, sends a "real" request to the provider,
// reports it, and reads the history. Runs against `npm start`, where the lab replaces the provider.
//
//   node examples/warm.mjs
//
// Ends with 1 when a step fails.
import assert from 'node:assert/strict'

const pilotlight = process.env.PILOTLIGHT_URL ?? 'http://localhost:8787'
const key = process.env.PILOTLIGHT_KEY ?? 'pilotlight-dev'
const provider = process.env.ANTHROPIC_BASE_URL ?? `${process.env.LAB_URL ?? 'http://localhost:8788'}/anthropic`
const providerKey = process.env.ANTHROPIC_API_KEY ?? 'lab'

async function call(url, options = {}) {
  const { body, headers, method = body === undefined ? 'GET' : 'POST' } = options
  const answer = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((cause) => {
    throw new Error(`${url} does not answer. Is npm start running, and PILOTLIGHT_URL its address?`, { cause })
  })
  const json = await answer.json()
  if (!answer.ok)
    throw new Error(`${method} ${url} answered ${answer.status}: ${json.error?.message ?? JSON.stringify(json)}`)
  return json
}

// The part that is the same in every request of this application. The edition makes it new each time the example runs.
const prefix = {
  model: 'claude-opus-4-8',
  max_tokens: 256,
  system: [
    {
      type: 'text',
      text: `Edition ${crypto.randomUUID()}.${' You answer questions about the river handbook.'.repeat(200)}`,
      cache_control: { type: 'ephemeral' },
    },
  ],
  messages: [],
}

const warmed = await call(`${pilotlight}/warm`, {
  body: { name: 'example-warm', provider: 'anthropic', request: prefix, keep_warm: { plan: { probes: 3 } } },
})
console.log(`registered ${warmed.id}: ${warmed.receipt.kind}, ${warmed.receipt.why}, $${warmed.receipt.cost_usd}`)
assert.equal(warmed.receipt.kind, 'written')

const warmth = await call(`${pilotlight}/prefixes/${warmed.id}/warmth`)
console.log(`${warmth.state} until ${warmth.warm_until}: ${warmth.why}`)
assert.equal(warmth.state, 'warm')

// With the lab, time may run faster than yours. With a real provider this is simply new Date().
const { now: startedAt } = await call(`${pilotlight}/health`)
const real = await call(`${provider}/v1/messages`, {
  headers: { 'x-api-key': providerKey, 'anthropic-version': '2023-06-01' },
  body: { ...prefix, messages: [{ role: 'user', content: 'Where is the ford?' }] },
})
console.log(`the real request read ${real.usage.cache_read_input_tokens} tokens from the cache`)
assert.ok(real.usage.cache_read_input_tokens > 2000)

const { data: observed } = await call(`${pilotlight}/observations`, {
  body: [{ prefix_id: warmed.id, usage: real.usage, started_at: startedAt }],
})
assert.equal(observed[0].matched, true)

const { data: history } = await call(`${pilotlight}/prefixes/${warmed.id}/history`)
for (const row of history) console.log(`${row.at}  ${row.type}  ${row.kind ?? row.decision ?? `${row.hits} hit`}`)
assert.ok(history.some((row) => row.type === 'arrival' && row.hits === 1))

await call(`${pilotlight}/prefixes/${warmed.id}`, { method: 'DELETE' })
