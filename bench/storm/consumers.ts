/**
 * Consumers of a queue that run beside each other, as on Cloudflare, which starts up to 250 of them. The local runtime has one, so that one
 * slow call would hold up the messages of everybody. Each batch becomes a request of the Worker to itself.
 */

/** Consumers at once: far fewer than on the platform. */
const CONSUMERS = 24
const ASKED_AGAIN_MS = 20
/** As in wrangler.toml. */
const MAX_RETRIES = 2
const RETRY_DELAY_S = 2

export interface Sent {
  id: string
  timestamp: string
  body: unknown
  attempts: number
}

export interface Delivery {
  queue: string
  deadLetters: string
  /** What comes first, what is delivered a second time meanwhile, and what comes again afterwards. */
  first: Sent[]
  beside: Sent[]
  behind: Sent[]
}

type Consume = (queue: string, messages: Message[]) => Promise<void>

const busy = { consumers: 0 }

/** Waits until a consumer is free, and lets it work beside the answer of the request. */
export async function startConsumer(delivery: Delivery, consume: Consume, context: ExecutionContext): Promise<void> {
  while (busy.consumers >= CONSUMERS) await scheduler.wait(ASKED_AGAIN_MS)
  busy.consumers += 1
  context.waitUntil(deliver(delivery, consume).finally(() => (busy.consumers -= 1)))
}

async function deliver(delivery: Delivery, consume: Consume): Promise<void> {
  await Promise.all([delivery.first, delivery.beside].map((messages) => untilTaken(messages, delivery, consume)))
  await untilTaken(delivery.behind, delivery, consume)
}

/** Delivers messages until they are acknowledged, or were retried too often. */
async function untilTaken(messages: readonly Sent[], delivery: Delivery, consume: Consume): Promise<void> {
  let left = messages
  while (left.length > 0) {
    const retried: Sent[] = []
    let delayS = RETRY_DELAY_S
    const retry = (one: Sent, options?: QueueRetryOptions): void => {
      retried.push({ ...one, attempts: one.attempts + 1 })
      delayS = options?.delaySeconds ?? delayS
    }
    try {
      await consume(
        delivery.queue,
        left.map((one) => asMessage(one, (options) => retry(one, options))),
      )
    } catch {
      retried.splice(0)
      for (const one of left) retry(one)
    }
    const dead = retried.filter(({ attempts }) => attempts > MAX_RETRIES + 1)
    if (dead.length > 0)
      await consume(
        delivery.deadLetters,
        dead.map((one) => asMessage(one, () => undefined)),
      )
    left = retried.filter(({ attempts }) => attempts <= MAX_RETRIES + 1)
    if (left.length > 0) await scheduler.wait(delayS * 1_000)
  }
}

function asMessage({ id, timestamp, body, attempts }: Sent, retry: Message['retry']): Message {
  return { id, timestamp: new Date(timestamp), body, attempts, ack: () => undefined, retry }
}
