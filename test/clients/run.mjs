/**
 * node run.mjs PROGRAM SCENARIO…: runs the clients of a program as their users would, and prints what each of them got as JSON: by client,
 * by scenario. The environment has their base URLs and keys, and LAB_URL, where the scenarios `abort` and `error` ask for trouble.
 */
const [program, ...scenarios] = process.argv.slice(2)
const { default: clients } = await import(`./programs/${program}.mjs`)

/** Rejections that a client leaves behind. Without a listener each would end the process. */
let unhandled = 0
process.on('unhandledRejection', () => unhandled++)

/** The lab is told to make trouble in the next call of one provider. */
async function trouble(client, fault) {
  const answer = await fetch(`${process.env.LAB_URL}/_lab/faults`, {
    method: 'POST',
    body: JSON.stringify({ ...fault, provider: client.provider, times: 1 }),
  })
  if (answer.status !== 201) throw new Error(`the lab answered ${answer.status}`)
}

/** What a program can tell of an error: its class, and what the provider said. */
function told(error) {
  const { status = error?.statusCode ?? null, headers, responseHeaders, message } = error ?? {}
  const given = headers?.get?.('retry-after') ?? (responseHeaders ?? headers)?.['retry-after'] ?? null
  return { name: error?.constructor?.name, status, retryAfter: given, message: message?.split('\n')[0] }
}

const caught = async (work) => {
  try {
    await work()
    return { name: null }
  } catch (error) {
    return told(error)
  }
}

const SCENARIOS = {
  plain: (client) => client.plain('Who built it?'),
  again: (client) => client.plain('And when?'),
  async stream(client) {
    let heard = ''
    const said = await client.stream('Is it still there?', (delta) => (heard += delta))
    return { ...said, heard }
  },
  tools: (client) => client.tools('lab: call look_up {"page":7}'),
  async abort(client) {
    await trouble(client, { kind: 'drips' }) // a stream that is far from its end when the caller leaves
    const leaving = new AbortController()
    const { name } = await caught(() => client.stream('lab: say 400', () => leaving.abort(), leaving.signal))
    return { name, left: leaving.signal.aborted }
  },
  async error(client) {
    await trouble(client, { kind: 'rate_limited', retry_after_ms: 7_000 })
    return caught(() => client.plain('Once more?'))
  },
}

const results = {}
for (const [name, client] of Object.entries(clients)) {
  results[name] = {}
  for (const scenario of scenarios) {
    try {
      results[name][scenario] = await SCENARIOS[scenario](client)
    } catch (error) {
      results[name][scenario] = { failed: String(error?.stack ?? error).slice(0, 2_000) }
    }
  }
}
console.log(JSON.stringify({ results, unhandled }))
process.exit(0) // a client may keep its connections open
