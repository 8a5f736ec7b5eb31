import { exports } from 'cloudflare:workers'

interface SentMessage {
  id: string
  timestamp: Date
  attempts: number
  body: unknown
}

/** The Worker's own handlers, with the two that only the test flag `service_binding_extra_handlers` opens. */
export const worker = exports.default as unknown as {
  fetch(input: string, init?: RequestInit): Promise<Response>
  scheduled(options: { scheduledTime: Date; cron: string }): Promise<{ outcome: string }>
  queue(
    name: string,
    messages: SentMessage[],
  ): Promise<{ outcome: string; retryMessages: { msgId: string; delaySeconds?: number }[] }>
}

/** One minute tick. */
export async function tick(): Promise<void> {
  const { outcome } = await worker.scheduled({ scheduledTime: new Date(), cron: '* * * * *' })
  if (outcome !== 'ok') throw new Error(`the tick ended with ${outcome}`)
}
