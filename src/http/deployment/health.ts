import { TICK_MS } from '../../core/time/schedule.ts'
import { isDevelopment, missingSecrets } from '../../runtime/env.ts'
import { VERSION } from '../../runtime/version.ts'
import { clockOf, directoryOf, router } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { iso } from '../present/format.ts'

/** Later than this, something is wrong with cron and with the alarms behind it. */
const LATE_MS = 120_000

/** Real time. */
const REMEMBERED_MS = 1_000

/** What other objects were asked, and when. */
interface Asked {
  at: number
  sweptAt: number | null
  oldestDueAt: number | null
  backlog: number | null
}

/** The last answer of the Directory and of the queue, in this isolate: the route is open to everyone, and they are not to be worn out through it. */
const lastAsked = new WeakMap<object, Asked>()

/** Public: whether this deployment does its work. It names no account. */
export const health = router().get('/health', async (c) => {
  const clock = clockOf(c)
  const { sweptAt, oldestDueAt, backlog } = await asked(c)
  const now = clock.now()
  const overdue = overdueMs(now, sweptAt, oldestDueAt)
  return c.json({
    status: missingSecrets(c.env).length > 0 ? 'not_configured' : overdue > LATE_MS ? 'late' : 'ok',
    now: iso(now),
    clock_rate: clock.rate,
    last_sweep_at: iso(sweptAt),
    oldest_overdue_ms: overdue,
    queue_backlog: backlog,
    development: isDevelopment(c.env),
    version: VERSION,
  })
})

/**
 * How late the oldest work is. The Directory hears of a Registry at each sweep, so between two sweeps what came due since
 * the last one is in the Registry's own hands, and not late.
 */
export function overdueMs(now: number, sweptAt: number | null, oldestDueAt: number | null): number {
  if (oldestDueAt === null || oldestDueAt >= now) return 0
  const sweepsRun = sweptAt !== null && now - sweptAt < 2 * TICK_MS
  return sweepsRun && oldestDueAt >= sweptAt ? 0 : now - oldestDueAt
}

async function asked(c: Call): Promise<Asked> {
  const clock = clockOf(c)
  const now = clock.now()
  const last = lastAsked.get(c.env.DIRECTORY)
  if (last !== undefined && last.at <= now && now - last.at < REMEMBERED_MS * clock.rate) return last
  const [{ sweptAt, oldestDueAt }, backlog] = await Promise.all([directoryOf(c).health(), waiting(c)])
  const fresh = { at: now, sweptAt, oldestDueAt, backlog }
  lastAsked.set(c.env.DIRECTORY, fresh)
  return fresh
}

/** Messages that wait for the consumer; null where the platform does not say. */
async function waiting(c: Call): Promise<number | null> {
  try {
    return (await c.env.PROBES.metrics()).backlogCount
  } catch (thrown) {
    console.error('queue metrics failed', thrown instanceof Error ? thrown.name : 'unknown')
    return null
  }
}
