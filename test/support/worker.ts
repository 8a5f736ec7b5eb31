import { runDurableObjectAlarm } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import type { Directory } from '../../src/durable/directory/directory.ts'
import type { Environment } from '../../src/runtime/env.ts'

interface SentMessage {
  id: string
  timestamp: Date
  attempts: number
  body: unknown
}

/** The Worker's handlers, including two that need the test flag `service_binding_extra_handlers`. */
export const worker = exports.default as unknown as {
  fetch(input: string, init?: RequestInit): Promise<Response>
  scheduled(options: { scheduledTime: Date; cron: string }): Promise<{ outcome: string }>
  queue(
    name: string,
    messages: SentMessage[],
  ): Promise<{ outcome: string; retryMessages: { msgId: string; delaySeconds?: number }[] }>
}

/** Calls the cron handler for one minute tick, and lets the work for every account that it begins come to its end. */
export async function tick(): Promise<void> {
  const { outcome } = await worker.scheduled({ scheduledTime: new Date(), cron: '* * * * *' })
  if (outcome !== 'ok') throw new Error(`the tick ended with ${outcome}`)
  const directory = (env as unknown as Environment).DIRECTORY.getByName('directory')
  const ended = async (): Promise<boolean> => {
    if (!Object.values(await directory.work()).some(({ running }) => running)) return true
    // Where the clock of a test runs ahead, the machine's does not ring.
    await runDurableObjectAlarm(directory as unknown as DurableObjectStub<Directory>)
    return false
  }
  await until(ended)
}

/** Waits for a condition in real time. `vi.waitUntil` would move a clock of the test that stands still. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 2_000; tries += 1) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('what was waited for did not come')
}
