import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createBot, openBot } from '../../src/client/bots.ts'
import type { BotResponse, BotView, Responses } from '../../src/client/bots.ts'
import { freePort, runWorker } from '../e2e/running.ts'
import type { Running } from '../e2e/running.ts'
import { runLab } from '../lab/running.ts'
import type { RunningLab } from '../lab/running.ts'

/** The client with Node's own fetch and WebSocket, and bots in a process that is killed. */

const tents = { provider: 'anthropic', model: 'claude-opus-5', system_prompt: 'You sell tents.' }
let lab: RunningLab
let worker: Running
let folder: string
let start: () => Promise<Running>
const options = () => ({ baseUrl: worker.base, key: 'pilotlight-dev' })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilotlight-bots-'))
  lab = await runLab({ vars: { LAB_LATENCY: 'off' } })
  const port = await freePort()
  const vars = {
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: 'pilotlight-dev',
    LAB_URL: lab.url,
    LAB_PROVIDERS: 'anthropic',
  }
  start = () => runWorker({ persist: folder, port, vars })
  worker = await start()
})

afterAll(async () => {
  await worker?.kill()
  await lab?.stop()
  await rm(folder, { recursive: true, force: true })
})

async function answerOf(responses: Responses<BotResponse>): Promise<BotResponse | undefined> {
  for await (const heard of responses) if (heard.type === 'message' || heard.type === 'failed') return heard
  return undefined
}

async function until(look: () => Promise<BotView>, holds: (view: BotView) => boolean): Promise<BotView> {
  for (let tries = 0; tries < 200; tries += 1) {
    const view = await look()
    if (holds(view)) return view
    await pause(100)
  }
  throw new Error('it did not come to hold')
}

it.each(['socket', 'events'] as const)('hears a bot by %s with the fetch and the WebSocket of Node', async (via) => {
  const bot = await createBot(options(), tents)
  const responses = await bot.responses({ via })
  const turn = await bot.send('Which tent for two?')
  expect(await answerOf(responses)).toMatchObject({ type: 'message', turn_id: turn })
})

it('a bot survives the kill of its process; an interrupted call is reported, not sent again', async () => {
  const bot = await createBot(options(), tents)
  await bot.send('Which tent for two?')
  const before = await until(
    () => bot.view(),
    ({ usage }) => usage.turns === 1,
  )
  await fetch(`${lab.url}/_lab/faults`, {
    method: 'POST',
    body: JSON.stringify({ kind: 'timeout', provider: 'anthropic', delay_ms: 600_000, times: 1 }),
  })
  await bot.send('And which stove?')
  await until(
    () => bot.view(),
    ({ calls }) => calls[0]?.outcome === 'in_flight',
  )
  await worker.kill()
  worker = await start()

  const again = openBot(options(), bot.id)
  const after = await until(
    () => again.view(),
    ({ waiting, history }) => waiting === 0 && history.length > before.history.length,
  )
  expect(after.last_response).toEqual(before.last_response)
  expect(after.calls[0]).toMatchObject({ outcome: 'failed', billed: null })
  expect(after.usage.turns).toBe(1)
  const responses = await again.responses()
  await again.send('And which stove?')
  expect(await answerOf(responses)).toMatchObject({ type: 'message' })
})
