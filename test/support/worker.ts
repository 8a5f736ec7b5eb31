import { exports } from 'cloudflare:workers'

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

/** Calls the cron handler for one minute tick. */
export async function tick(): Promise<void> {
  const { outcome } = await worker.scheduled({ scheduledTime: new Date(), cron: '* * * * *' })
  if (outcome !== 'ok') throw new Error(`the tick ended with ${outcome}`)
}
