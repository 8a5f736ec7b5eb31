/**
 * The shipped Worker under bad weather: queue messages are lost and doubled, objects end when asked. Each call of a queued lease carries the
 * lease's id to the lab. Everything else is the product's own code.
 */
import type { DurableObject } from 'cloudflare:workers'
import type { Lease } from '../../src/calls/lease.ts'
import type { StoredPrefix } from '../../src/registration/record.ts'
import type { Environment } from '../../src/runtime/env.ts'
import { directoryAt, registryAt } from '../../src/runtime/objects.ts'
import product, { Bot, Directory, Egress, Registry } from '../../src/worker.ts'

/** Set by the build: another number is another bundle. */
declare const STORM_BUNDLE: string

type Held = { held: string }

/** The parts of the shipped classes that are wrapped here, as methods that a subclass may override. */
type Made<Methods = object> = new (ctx: DurableObjectState, env: Environment) => DurableObject<Environment> & Methods
interface LeaseReader {
  bodyFor(lease: Pick<Lease, 'id' | 'seq' | 'k'>): Promise<StoredPrefix | Held | null>
}

class EndingRegistry extends (Registry as unknown as Made<LeaseReader>) {
  override async bodyFor(lease: Pick<Lease, 'id' | 'seq' | 'k'>): Promise<StoredPrefix | Held | null> {
    const stored = await super.bodyFor(lease)
    if (stored === null || 'held' in stored) return stored
    return { ...stored, headers: { ...stored.headers, 'x-lab-tag': lease.id } }
  }

  stormEnd(): void {
    this.ctx.abort('the storm ended this object')
  }
}

class EndingDirectory extends (Directory as unknown as Made) {
  stormEnd(): void {
    this.ctx.abort('the storm ended this object')
  }
}

class EndingEgress extends (Egress as unknown as Made) {
  stormEnd(): void {
    this.ctx.abort('the storm ended this object')
  }
}

class EndingBot extends (Bot as unknown as Made) {
  stormEnd(): void {
    this.ctx.abort('the storm ended this object')
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
          : env.BOT.getByName(name)
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
      await objectOf(env, text('object'), text('name'))
        .stormEnd()
        .catch(() => undefined)
      return Response.json({ bundle: STORM_BUNDLE, counts })
    default:
      return new Response('no such control', { status: 404 })
  }
}

/** The same message again, as a queue delivers it that heard no acknowledgement. */
function again({ id, timestamp, body, attempts }: Message): Message {
  return { id, timestamp, body, attempts: attempts + 1, ack: () => undefined, retry: () => undefined }
}

function batchOf({ queue, metadata }: MessageBatch, messages: Message[]): MessageBatch {
  return { queue, metadata, messages, ackAll: () => undefined, retryAll: () => undefined }
}

export default {
  fetch(request: Request<unknown, IncomingRequestCfProperties>, env: Environment, context: ExecutionContext) {
    const url = new URL(request.url)
    return url.pathname.startsWith('/storm/') ? control(url, env) : product.fetch(request, env, context)
  },
  scheduled: product.scheduled,
  async queue(batch: MessageBatch, env: Environment, context: ExecutionContext): Promise<void> {
    const kept: Message[] = []
    const twice: Message[] = []
    for (const message of batch.messages) {
      counts.messages += 1
      if (Math.random() < weather.lost) {
        counts.lost += 1
        message.ack()
        continue
      }
      kept.push(message)
      if (Math.random() >= weather.twice) continue
      counts.twice += 1
      twice.push(again(message))
    }
    // Half of the second deliveries come while the first is at work, half after it.
    const beside = twice.filter((_, index) => index % 2 === 0)
    const behind = twice.filter((_, index) => index % 2 === 1)
    await Promise.all([kept, beside].map((messages) => product.queue(batchOf(batch, messages), env, context)))
    await product.queue(batchOf(batch, behind), env, context)
  },
}
