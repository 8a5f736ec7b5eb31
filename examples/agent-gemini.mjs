// A small agent with Google's own SDK: it warms its prompt before the first user comes, answers in a loop with tools, and reports the
// usage of each request. Gemini finds the common prefix by itself, without a guarantee. Runs against `npm start`, where the lab
// replaces Gemini.
//
//   npx node examples/agent-gemini.mjs
import assert from 'node:assert/strict'
import { GoogleGenAI } from '@google/genai'

const pilotlight = process.env.PILOTLIGHT_URL ?? 'http://localhost:8787'
const key = process.env.PILOTLIGHT_KEY ?? 'pilotlight-dev'
const gemini = new GoogleGenAI({
  apiKey: process.env.GEMINI_API_KEY ?? 'lab',
  httpOptions: { baseUrl: process.env.GEMINI_BASE_URL ?? `${process.env.LAB_URL ?? 'http://localhost:8788'}/gemini` },
})
/** Instruction for the lab's model. A real one decides for itself. */
const lab = (line) => (process.env.GEMINI_BASE_URL === undefined ? `\nlab: ${line}` : '')

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

/** With the lab, time may run faster than yours. With Gemini itself this is simply new Date(). */
const now = async () => (await call('/health')).now

const trains = { Ghent: '14:05 and 14:35', Bruges: '14:20' }
const tools = {
  departures: ({ to }) => ({ departures: trains[to] ?? 'none today' }),
  platform: ({ to }) => ({ platform: to === 'Ghent' ? 3 : 7 }),
}
const parameters = { type: 'OBJECT', properties: { to: { type: 'STRING' } }, required: ['to'] }

// The one definition of what all requests share, in the wire's own shape: what is registered must be what the SDK sends.
const model = 'gemini-2.5-flash'
const shared = {
  systemInstruction: {
    role: 'user',
    parts: [{ text: `Edition ${crypto.randomUUID()}.${' You answer questions about trains.'.repeat(400)}` }],
  },
  tools: [
    {
      functionDeclarations: [
        { name: 'departures', description: 'The next trains to a town.', parameters },
        { name: 'platform', description: 'The platform for a town.', parameters },
      ],
    },
  ],
}

// Warm at start-up, not with the first user: the first user's request then reads from the cache.
const warmed = await call('/warm', {
  name: 'example-agent-gemini',
  provider: 'gemini',
  model,
  request: { ...shared, contents: [] },
})
console.log(`warm for $${warmed.receipt.cost_usd}: ${warmed.receipt.why}`)

const contents = []
const observations = []

/** One turn of the conversation: asks the model, runs the tools that it calls, and asks again until it has an answer. */
async function turn(question) {
  contents.push({ role: 'user', parts: [{ text: question }] })
  for (let step = 0; step < 8; step++) {
    const startedAt = await now()
    const answer = await gemini.models.generateContent({ model, contents, config: shared })
    observations.push({ prefix_id: warmed.id, usage: answer.usageMetadata, started_at: startedAt })
    contents.push(answer.candidates[0].content)
    if (answer.functionCalls === undefined) return answer.text
    const parts = answer.functionCalls.map(({ name, args }) => {
      const response = tools[name]?.(args) ?? { error: 'There is no such tool.' }
      console.log(`  ${name}(${JSON.stringify(args)}): ${JSON.stringify(response)}`)
      return { functionResponse: { name, response } }
    })
    contents.push({ role: 'user', parts })
  }
  throw new Error('the model went on calling tools')
}

const questions = [
  `When does the next train to Ghent leave, and where?${lab('call departures {"to":"Ghent"} & platform {"to":"Ghent"}')}`,
  `And to Bruges?${lab('call departures {"to":"Bruges"}')}`,
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
assert.ok(observations.every(({ usage }) => usage.cachedContentTokenCount > 2000))

await call(`/prefixes/${warmed.id}`, undefined, 'DELETE')
