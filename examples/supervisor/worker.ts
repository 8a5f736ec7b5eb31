// A supervisor of deployments that gets webhooks: a live object that is not a bot. It costs nothing between two deliveries.
//
//   npx wrangler dev --config examples/supervisor/wrangler.toml --var SNAPSHOT_SECRET:a-secret-of-yours
//   curl localhost:8787/shop -H 'x-delivery-id: 1' -d '{"type":"deploy.failed","data":{"commit":"4f2a"}}'
//   curl localhost:8787/shop
import { FAILURES, LiveObject, readFailure } from 'pilotlight/live-object'

export interface SupervisorEnv {
  SUPERVISOR: DurableObjectNamespace<Supervisor>
  SNAPSHOT_SECRET: string
}

/** Events of the webhooks. */
// A type, not an interface: handlers are found by its keys.
export type Deliveries = {
  'deploy.succeeded': { commit: string }
  'deploy.failed': { commit: string }
  'bill.paid': { usd: number }
  'rollback.proposed': unknown
  /** Answer of the person on call to that advice. */
  'rollback.answered': { yes: boolean }
}

export interface Watch {
  good: string | null
  failuresInRow: number
  advice: 'none' | 'roll back'
  /** Commit to which a person agreed to go back. */
  approved?: string
}

/** One object for each service. After two failures in a row it advises to go back to the last good commit. */
export class Supervisor extends LiveObject<SupervisorEnv, Watch, Deliveries> {
  constructor(ctx: DurableObjectState, env: SupervisorEnv) {
    super(ctx, env, {
      kind: 'supervisor',
      version: 1,
      initial: { good: null, failuresInRow: 0, advice: 'none' },
      startsItself: true,
      limits: { idleTimeoutMs: 30 * 24 * 3_600_000, costBudgetNanos: 1_000_000_000, maxHistory: 50, maxMailbox: 20 },
      snapshotSecret: env.SNAPSHOT_SECRET,
      handlers: {
        'deploy.succeeded': (_watch, { commit }) => ({ good: commit, failuresInRow: 0, advice: 'none' }),
        'deploy.failed': (watch) => {
          const failuresInRow = watch.failuresInRow + 1
          return { ...watch, failuresInRow, advice: failuresInRow >= 2 && watch.good !== null ? 'roll back' : 'none' }
        },
        'rollback.proposed': (watch, _data, turn) => {
          if (watch.good !== null) turn.ask(`Go back to ${watch.good}?`, 'rollback.answered')
          return watch
        },
        'rollback.answered': (watch, { yes }) =>
          yes && watch.good !== null ? { ...watch, approved: watch.good } : watch,
        'bill.paid': (watch, { usd }, turn) => {
          turn.spend(Math.round(usd * 1e9))
          return watch
        },
      },
    })
  }
}

export default {
  async fetch(request, env) {
    const supervisor = env.SUPERVISOR.getByName(new URL(request.url).pathname.slice(1))
    try {
      if (request.method === 'PUT') {
        return Response.json(await supervisor.respond(await request.json()), { status: 202 })
      }
      if (request.method !== 'POST') return Response.json(await supervisor.look())
      const { type, data } = await request.json<{ type: string; data: unknown }>()
      const id = request.headers.get('x-delivery-id')
      return Response.json(await supervisor.emit({ type, data, ...(id === null ? {} : { id }) }), { status: 202 })
    } catch (thrown) {
      const failure = readFailure(thrown)
      if (failure === null) return Response.json({ message: 'this is not a delivery' }, { status: 400 })
      return Response.json(failure, { status: FAILURES[failure.kind].status })
    }
  },
} satisfies ExportedHandler<SupervisorEnv>
