/**
 * The shipped Worker under bad weather: queue messages are lost and doubled, objects end when asked. Each call of a queued lease carries the
 * lease's id to the lab. Everything else is the product's own code.
 */
import type { DurableObject } from 'cloudflare:workers'
import type { Lease } from '../../src/calls/lease.ts'
import type { StoredPrefix } from '../../src/registration/record.ts'
import type { Environment } from '../../src/runtime/env.ts'
import { throwingHere } from '../../src/runtime/answered.ts'
import type { Answered } from '../../src/runtime/answered.ts'
import { directoryAt, registryAt } from '../../src/runtime/objects.ts'
import { startConsumer } from './consumers.ts'
import type { Delivery, Sent } from './consumers.ts'
import product, { Bot, Directory, Egress, Registry } from '../../src/worker.ts'

/** Set by the build: another number is another bundle. */
declare const STORM_BUNDLE: string

/** The parts of the shipped classes that are wrapped here, as methods that a subclass may override. */
type Made<Methods = object> = new (ctx: DurableObjectState, env: Environment) => DurableObject<Environment> & Methods
interface Answers {
  answer(method: string, given: unknown[]): Promise<Answered>
}

const ENDED = 'the storm ended this object'

/** The class, whose objects end when they are asked to: everything in memory and every call in flight is gone. */
function ending(of: unknown) {
  return class extends (of as Made<Answers>) {
    override async answer(method: string, given: unknown[]): Promise<Answered> {
      if (method === 'stormEnd') this.ctx.abort(ENDED)
      return super.answer(method, given)
    }
  }
}

class EndingRegistry extends ending(Registry) {
  /** The body of a leased call, with a header that names the lease. */
  override async answer(method: string, given: unknown[]): Promise<Answered> {
    const answer = await super.answer(method, given)
    if (method !== 'bodyFor' || !('value' in answer)) return answer
    const stored = answer.value as StoredPrefix | { held: string } | null
    if (stored === null || 'held' in stored) return answer
    const { id } = given[0] as Pick<Lease, 'id'>
    return { value: { ...stored, headers: { ...stored.headers, 'x-lab-tag': id } } }
  }
}

class EndingDirectory extends ending(Directory) {}

class EndingBot extends ending(Bot) {}

class EndingEgress extends (Egress as unknown as Made) {
  stormEnd(): void {
    this.ctx.abort(ENDED)
  }
}

export { EndingBot as Bot, EndingDirectory as Directory, EndingEgress as Egress, EndingRegistry as Registry }

/** Shares of the queue's messages. */
const weather = { lost: 0, twice: 0 }
const counts = { messages: 0, lost: 0, twice: 0 }

interface Ending {
  stormEnd: () => Promise<void>
}

function objectOf(env: Environment, kind: string, name: string): Ending {
  const found =
    kind === 'Registry'
      ? registryAt(env, name)
      : kind === 'Directory'
        ? directoryAt(env)
        : kind === 'Egress'
          ? env.EGRESS.getByName(name)
          : throwingHere(env.BOT.getByName(name))
  return found as unknown as Ending
}

async function control(url: URL, env: Environment): Promise<Response> {
  const text = (name: string): string => url.searchParams.get(name) ?? ''
  switch (url.pathname) {
    case '/storm/weather':
      Object.assign(weather, { lost: Number(text('lost')), twice: Number(text('twice')) })
      return Response.json({ bundle: STORM_BUNDLE, counts })
    case '/storm/end':
      // The call cannot answer: its object ends in it.
      return objectOf(env, text('object'), text('name'))
        .stormEnd()
        .then(
          () => new Response('the object is still there', { status: 500 }),
          (thrown: unknown) =>
            String(thrown).includes(ENDED)
              ? Response.json({ ended: true })
              : new Response(String(thrown), { status: 500 }),
        )
    default:
      return new Response('no such control', { status: 404 })
  }
}

function sent({ id, timestamp, body, attempts }: Message): Sent {
  return { id, timestamp: timestamp.toISOString(), body, attempts }
}

function batchOf(queue: string, messages: Message[]): MessageBatch {
  const metadata = { metrics: { backlogCount: 0, backlogBytes: 0, oldestMessageTimestamp: new Date(0) } }
  return { queue, metadata, messages, ackAll: () => undefined, retryAll: () => undefined }
}

const PROBES = 'pilotlight-probes'

export default {
  async fetch(
    request: Request<unknown, IncomingRequestCfProperties>,
    env: Environment,
    context: ExecutionContext,
  ): Promise<Response> {
    const url = new URL(request.url)
    if (url.pathname === '/storm/consume') {
      const consume = (queue: string, messages: Message[]) => product.queue(batchOf(queue, messages), env, context)
      await startConsumer(await request.json(), consume, context)
      return new Response(null, { status: 202 })
    }
    return url.pathname.startsWith('/storm/') ? control(url, env) : product.fetch(request, env, context)
  },
  scheduled: product.scheduled,
  async queue(batch: MessageBatch, env: Environment & { STORM_URL: string }, context: ExecutionContext): Promise<void> {
    if (batch.queue !== PROBES) return product.queue(batch, env, context)
    const first: Sent[] = []
    const twice: Sent[] = []
    for (const message of batch.messages) {
      counts.messages += 1
      if (Math.random() < weather.lost) {
        counts.lost += 1
        continue
      }
      first.push(sent(message))
      if (Math.random() >= weather.twice) continue
      counts.twice += 1
      twice.push({ ...sent(message), attempts: message.attempts + 1 })
    }
    // Half of the second deliveries come while the first is at work, half after it.
    const beside = twice.filter((_, index) => index % 2 === 0)
    const behind = twice.filter((_, index) => index % 2 === 1)
    const delivery: Delivery = { queue: PROBES, deadLetters: `${PROBES}-dead`, first, beside, behind }
    const answer = await fetch(`${env.STORM_URL}/storm/consume`, { method: 'POST', body: JSON.stringify(delivery) })
    if (!answer.ok) throw new Error(`no consumer began: ${answer.status}`)
  },
}
