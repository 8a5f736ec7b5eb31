// A crew of eight agents that share a handbook and tools: the shared part is written once, then each agent's own part, and then all
// start to work at once. Runs against `npm start`, where the lab replaces Anthropic.
//
//   npx node examples/crew.mjs
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

const handbook = `Edition ${crypto.randomUUID()}.${' You work for the river handbook, and keep to its rules.'.repeat(200)}`
const lookUp = {
  name: 'look_up',
  description: 'Reads a page of the river handbook.',
  input_schema: { type: 'object', properties: { page: { type: 'integer' } } },
}
const roles = ['writer', 'editor', 'fact checker', 'illustrator', 'translator', 'indexer', 'printer', 'publisher']

/** Common beginning of one agent's requests: the crew's part, then the agent's role. */
const agents = roles.map((role) => ({
  name: `example-crew-${role.replace(' ', '-')}`,
  provider: 'anthropic',
  request: {
    model: 'claude-opus-4-8',
    max_tokens: 256,
    tools: [lookUp],
    system: [
      { type: 'text', text: handbook },
      { type: 'text', text: `You are the ${role}.`, cache_control: { type: 'ephemeral' } },
    ],
    messages: [],
  },
}))

let crew = await call('/preload', { strategy: 'shared_prefix', agents })
// A preload of over a minute is answered while it still runs.
while (crew.status === 'running') crew = await call(`/jobs/${crew.id}?wait=30s`)
console.log(
  `${crew.status}: the shared head was written ${crew.head_writes} time, in ${crew.calls} calls for $${crew.cost_usd}, and not $${crew.without_coordination_usd}`,
)
assert.equal(crew.status, 'succeeded')
assert.equal(crew.head_writes, 1)
assert.equal(crew.failed, 0)
assert.ok(crew.cost_usd < crew.without_coordination_usd / 2)

// All start at once, and none writes a part that another one writes too. The body is the registered one, with the added markers.
const { now: startedAt } = await call('/health')
const observations = await Promise.all(
  crew.agents.map(async ({ name, prefix_id: id }) => {
    const { request } = await call(`/prefixes/${id}/request`)
    const messages = [{ role: 'user', content: 'What do you do first?' }]
    const { usage } = await anthropic.messages.create({ ...request, messages })
    console.log(`${name} read ${usage.cache_read_input_tokens} tokens from the cache`)
    assert.ok(usage.cache_read_input_tokens > 2000)
    assert.equal(usage.cache_creation_input_tokens, 0)
    return { prefix_id: id, usage, started_at: startedAt }
  }),
)
await call('/observations', observations)

const heads = crew.groups.flatMap(({ head }) => (head === null ? [] : [head.prefix_id]))
for (const id of [...crew.agents.map((agent) => agent.prefix_id), ...heads])
  await call(`/prefixes/${id}`, undefined, 'DELETE')
