import { warmBody } from '../../src/contract/warm.ts'
import { parseBody, WARM_RAW } from '../../src/registration/json-body.ts'
import { prepareWarm, registrationOf } from '../../src/registration/prepare.ts'
import type { Registration } from '../../src/registration/registration.ts'
import { clockFrom } from '../../src/runtime/clock.ts'
import { newId } from '../../src/runtime/ids.ts'
import type { Environment } from '../../src/runtime/env.ts'
import { directoryAt } from '../../src/runtime/objects.ts'
import { Directory as ShippedDirectory } from '../../src/durable/directory/directory.ts'
import { Registry as ShippedRegistry } from '../../src/durable/registry/registry.ts'
import type { RowCount } from '../../src/durable/sql.ts'
import product from '../../src/worker.ts'

export { Bot, Egress } from '../../src/worker.ts'

/** Accounts that are made at once. */
const AT_ONCE = 20
const TOKENS = 2_000

/** Rows that each object has read and written since it woke, by its name. */
const counts = new Map<string, RowCount>()

/** Counts the rows of every statement of an object. */
function counted(ctx: DurableObjectState): DurableObjectState {
  const count: RowCount = { read: 0, written: 0 }
  counts.set(ctx.id.name ?? '', count)
  const { sql } = ctx.storage
  const exec: SqlStorage['exec'] = (query, ...bindings) => {
    const cursor = sql.exec(query, ...bindings)
    const rows = cursor.toArray()
    count.read += cursor.rowsRead
    count.written += cursor.rowsWritten
    return { toArray: () => rows, rowsRead: cursor.rowsRead, rowsWritten: cursor.rowsWritten } as never
  }
  const counting = {
    exec,
    get databaseSize() {
      return sql.databaseSize
    },
  }
  Object.defineProperty(ctx.storage, 'sql', { value: counting })
  return ctx
}

/** The shipped Registry. It counts its rows, and is filled without a request for each prefix. */
export class Registry extends ShippedRegistry {
  constructor(ctx: DurableObjectState, env: Environment) {
    super(counted(ctx), env)
  }

  rowCount(): RowCount {
    return counts.get(this.ctx.id.name ?? '') ?? { read: 0, written: 0 }
  }

  /** Registers prefixes until there are `until`, each as `POST /warm` does, with a real request that has just written it. */
  async fill(template: Registration, from: number, until: number): Promise<void> {
    for (let n = from; n < until; n++) {
      const fingerprint = n.toString(16).padStart(64, '0').split('').toReversed().join('')
      const lookups = (template.lookups ?? []).map((hash, index) => `${index}-${n}-${hash.slice(8)}`)
      const { view } = await this.register(
        { ...template, fingerprint, lookups, name: `agent-${n}` },
        'no',
        newId('job'),
      )
      await this.#written(view.record.id, template)
    }
  }

  /** Registers one prefix, which a real request has just written. Its first keep-alive is due before that lapses. */
  async keepWarm(template: Registration): Promise<void> {
    const { view } = await this.register(template, 'no', newId('job'))
    await this.#written(view.record.id, template)
  }

  async #written(id: string, { retention }: Registration): Promise<void> {
    const usage = {
      inputTokens: TOKENS,
      uncachedTokens: 0,
      cacheReadTokens: 0,
      cacheWriteTokens: TOKENS,
      cacheWriteByRetention: { [retention ?? '1h']: TOKENS },
      outputTokens: 1,
      reasoningTokens: 0,
    }
    const startedAt = clockFrom(this.env).now()
    await this.observe([{ id, arrivals: [{ startedAt, usage, ttftMs: null }] }])
  }
}

/** The shipped Directory. It counts its rows, and takes many names in one call. */
export class Directory extends ShippedDirectory {
  constructor(ctx: DurableObjectState, env: Environment) {
    super(counted(ctx), env)
  }

  async addAll(ids: readonly string[]): Promise<void> {
    for (const id of ids) await this.add(id)
  }

  rowCount(): RowCount {
    return counts.get('directory') ?? { read: 0, written: 0 }
  }
}

type Doors = Omit<Environment, 'REGISTRY' | 'DIRECTORY'> & {
  REGISTRY: DurableObjectNamespace<Registry>
  DIRECTORY: DurableObjectNamespace<Directory>
}

export default {
  ...product,
  async fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url)
    if (!pathname.startsWith('/_bench/')) return product.fetch(request as never, env as never, context)
    const number = (name: string): number => Number(searchParams.get(name))
    const registry = env.REGISTRY.getByName(searchParams.get('account') ?? '')
    switch (pathname) {
      case '/_bench/fill':
        await registry.fill(templateOf(await request.text()), number('from'), number('until'))
        return Response.json(null)
      case '/_bench/rows':
        return Response.json(await registry.rowCount())
      case '/_bench/directory-rows':
        return Response.json(await env.DIRECTORY.getByName('directory').rowCount())
      case '/_bench/sweep': {
        await registry.sweep(Date.now() + number('ahead'))
        return Response.json(null)
      }
      case '/_bench/tick':
        await product.scheduled(null as never, env as never)
        return Response.json(null)
      case '/_bench/accounts':
        await addAccounts(env, number('from'), number('until'), searchParams.get('idle') === 'true')
        return Response.json(null)
      case '/_bench/warm': {
        const template = templateOf(await request.text())
        const queued = searchParams.get('queued') === 'true'
        await each(number('from'), number('until'), (n) => {
          const account = env.REGISTRY.getByName(nameOf(n))
          return queued ? account.register(template, 'later', newId('job')) : account.keepWarm(template)
        })
        return Response.json(null)
      }
      default:
        return new Response('no such door', { status: 404 })
    }
  },
} satisfies ExportedHandler<Doors>

/** A registration as `POST /warm` makes it of its body. */
function templateOf(text: string): Registration {
  return registrationOf(prepareWarm(parseBody(text, warmBody, WARM_RAW), Date.now()))
}

function nameOf(n: number): string {
  return `tenant-${String(n).padStart(6, '0')}`
}

async function each(from: number, until: number, work: (n: number) => Promise<unknown>): Promise<void> {
  let next = from
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let n = next++; n < until; n = next++) await work(n)
    }),
  )
}

/** Creates accounts as `POST /accounts` does, without its answers. `idle`: their names alone, so that their objects have never run. */
async function addAccounts(env: Doors, from: number, until: number, idle: boolean): Promise<void> {
  const ids = Array.from({ length: Math.max(0, until - from) }, (_, n) => nameOf(from + n))
  await env.DIRECTORY.getByName('directory').addAll(ids)
  if (idle) return
  const directory = directoryAt(env)
  await each(from, until, async (n) => {
    const id = nameOf(n)
    const revision = await directory.beginChange(id)
    const settings = await env.REGISTRY.getByName(id).configure({ allowedSecrets: [] })
    await directory.endChange(id, revision, JSON.stringify(settings))
  })
}
