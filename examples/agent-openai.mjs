// A small agent with the official OpenAI SDK on the Responses API: it warms its prompt before the first user comes, answers in a loop
// with tools, and reports the usage of each request. Runs against `npm start`, where the lab replaces OpenAI.
//
//   npx node examples/agent-openai.mjs
import assert from 'node:assert/strict'
import OpenAI from 'openai'

const pilotlight = process.env.PILOTLIGHT_URL ?? 'http://localhost:8787'
const key = process.env.PILOTLIGHT_KEY ?? 'pilotlight-dev'
const openai = new OpenAI({
  apiKey: process.env.OPENAI_API_KEY ?? 'lab',
  baseURL: process.env.OPENAI_BASE_URL ?? `${process.env.LAB_URL ?? 'http://localhost:8788'}/openai/v1`,
})
/** Instruction for the lab's model. A real one decides for itself. */
const lab = (line) => (process.env.OPENAI_BASE_URL === undefined ? `\nlab: ${line}` : '')

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

const orders = { 'A-17': 'two lamps, sent on Monday', 'A-18': 'one lamp, waiting for a bulb' }
const tools = {
  find_order: ({ order }) => orders[order] ?? 'There is no such order.',
  stock_of: ({ article }) => (article === 'bulb' ? '12 in stock' : 'none in stock'),
}
const schema = (name) => ({
  type: 'object',
  properties: { [name]: { type: 'string' } },
  required: [name],
  additionalProperties: false,
})

// The one definition of what all requests share. The breakpoint at its end is where their common prefix is cached, and the key keeps it
// apart from everybody else's.
const shared = {
  model: 'gpt-5.6-sol',
  prompt_cache_key: 'example-agent',
  tools: [
    {
      type: 'function',
      name: 'find_order',
      description: 'Looks an order up.',
      parameters: schema('order'),
      strict: true,
    },
    {
      type: 'function',
      name: 'stock_of',
      description: 'Counts an article.',
      parameters: schema('article'),
      strict: true,
    },
  ],
}
const developer = {
  role: 'developer',
  content: [
    {
      type: 'input_text',
      text: `Edition ${crypto.randomUUID()}.${' You are a support agent of a shop that sells lamps.'.repeat(200)}`,
      prompt_cache_breakpoint: { mode: 'explicit' },
    },
  ],
}

// Warm at start-up, not with the first user: the first user's request then reads from the cache.
const warmed = await call('/warm', {
  name: 'example-agent-openai',
  provider: 'openai',
  request: { ...shared, input: [developer] },
})
console.log(`warm for $${warmed.receipt.cost_usd}: ${warmed.receipt.why}`)

const input = [developer]
const observations = []

/** One turn of the conversation: asks the model, runs the tools that it calls, and asks again until it has an answer. */
async function turn(question) {
  input.push({ role: 'user', content: question })
  for (let step = 0; step < 8; step++) {
    const startedAt = await now()
    const response = await openai.responses.create({ ...shared, input, store: false })
    observations.push({ prefix_id: warmed.id, usage: response.usage, started_at: startedAt })
    input.push(...response.output)
    const calls = response.output.filter(({ type }) => type === 'function_call')
    if (calls.length === 0) return response.output_text
    for (const { call_id: id, name, arguments: given } of calls) {
      const output = tools[name]?.(JSON.parse(given)) ?? 'There is no such tool.'
      console.log(`  ${name}(${given}): ${output}`)
      input.push({ type: 'function_call_output', call_id: id, output })
    }
  }
  throw new Error('the model went on calling tools')
}

const questions = [
  `Where are my orders A-17 and A-18?${lab('call find_order {"order":"A-17"} & find_order {"order":"A-18"}')}`,
  `When will the second one go out?${lab('call stock_of {"article":"bulb"}')}`,
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
assert.ok(observations.every(({ usage }) => usage.input_tokens_details.cached_tokens > 2000))

await call(`/prefixes/${warmed.id}`, undefined, 'DELETE')
