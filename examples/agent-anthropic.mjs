// A small agent with the official Anthropic SDK: it warms its prompt before the first user comes, answers in a loop with tools, and
// reports the usage of each request. Runs against `npm start`, where the lab replaces Anthropic.
//
//   npx node examples/agent-anthropic.mjs
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'

const pilotlight = process.env.PILOTLIGHT_URL ?? 'http://localhost:8787'
const key = process.env.PILOTLIGHT_KEY ?? 'pilotlight-dev'
const anthropic = new Anthropic({
  apiKey: process.env.ANTHROPIC_API_KEY ?? 'lab',
  baseURL: process.env.ANTHROPIC_BASE_URL ?? `${process.env.LAB_URL ?? 'http://localhost:8788'}/anthropic`,
})
/** Instruction for the lab's model. A real one decides for itself. */
const lab = (line) => (process.env.ANTHROPIC_BASE_URL === undefined ? `\nlab: ${line}` : '')

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

const pages = { 12: 'The ford lies below the mill; it can be crossed up to 60 cm.', 31: 'The mill closes at dusk.' }
const levels = { ford: 45, weir: 120 }
const tools = {
  look_up: ({ page }) => pages[page] ?? 'There is no such page.',
  water_level: ({ place }) => (place in levels ? `${levels[place]} cm` : 'Nothing is measured there.'),
}

// The one definition of what all requests share. The marker at its end is where their common prefix is cached.
const shared = {
  model: 'claude-opus-4-8',
  max_tokens: 256,
  tools: [
    {
      name: 'look_up',
      description: 'Reads a page of the river handbook.',
      input_schema: { type: 'object', properties: { page: { type: 'integer' } }, required: ['page'] },
    },
    {
      name: 'water_level',
      description: 'Measures how deep the water is at a place.',
      input_schema: { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] },
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

// Warm at start-up, not with the first user: the first user's request then reads from the cache.
const warmed = await call('/warm', {
  name: 'example-agent-anthropic',
  provider: 'anthropic',
  request: { ...shared, messages: [] },
})
console.log(`warm for $${warmed.receipt.cost_usd}: ${warmed.receipt.why}`)

const messages = []
const observations = []

/** One turn of the conversation: asks the model, runs the tools that it calls, and asks again until it has an answer. */
async function turn(question) {
  messages.push({ role: 'user', content: question })
  for (let step = 0; step < 8; step++) {
    const startedAt = await now()
    const answer = await anthropic.messages.create({ ...shared, messages })
    observations.push({ prefix_id: warmed.id, usage: answer.usage, started_at: startedAt })
    messages.push({ role: 'assistant', content: answer.content })
    const calls = answer.content.filter(({ type }) => type === 'tool_use')
    if (calls.length === 0) return answer.content.map(({ text }) => text).join('')
    const results = calls.map(({ id, name, input }) => {
      const content = tools[name]?.(input) ?? 'There is no such tool.'
      console.log(`  ${name}(${JSON.stringify(input)}): ${content}`)
      return { type: 'tool_result', tool_use_id: id, content }
    })
    messages.push({ role: 'user', content: results })
  }
  throw new Error('the model went on calling tools')
}

const questions = [
  `Can I cross at the ford today?${lab('call look_up {"page":12} & water_level {"place":"ford"}')}`,
  `And until when is the mill open?${lab('call look_up {"page":31}')}`,
  'Thank you.',
]
for (const question of questions) {
  console.log(question.split('\n')[0])
  console.log(`  ${await turn(question)}`)
}

// Reports go in batches and in the background, so that users never wait for them.
await call('/observations', observations)
const { hits, misses } = await call(`/prefixes/${warmed.id}`)
console.log(`${hits} requests read the prefix from the cache, ${misses} did not`)
assert.deepEqual([hits, misses], [observations.length, 0])
assert.ok(observations.length >= questions.length)
assert.ok(observations.every(({ usage }) => usage.cache_read_input_tokens > 2000))

await call(`/prefixes/${warmed.id}`, undefined, 'DELETE')
