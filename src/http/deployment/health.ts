import type * as z from 'zod'
import { TICK_MS } from '../../core/time/schedule.ts'
import type { healthAnswer } from '../../contract/values.ts'
import { isDevelopment, missingSecrets } from '../../runtime/env.ts'
import { VERSION } from '../../runtime/version.ts'
import { clockOf, directoryOf, router } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { iso } from '../present/format.ts'

/** Work that is later than this means that cron and the alarms behind it fail. */
const LATE_MS = 120_000

/** Real time for which an answer of the Directory and the queue is reused. */
const REUSED_MS = 1_000

/** What the Directory and the queue answered, and when. */
interface Answers {
  at: number
  sweptAt: number | null
  oldestDueAt: number | null
  backlog: number | null
  work: z.infer<typeof healthAnswer>['work']
}

/** The last answers in this isolate. The route is open to everyone: callers must not overload the Directory and the queue through it. */
const lastAnswers = new WeakMap<object, Answers>()

/** Public: whether this deployment works. The answer names no account. */
export const health = router().get('/health', async (c) => {
  const clock = clockOf(c)
  const { sweptAt, oldestDueAt, backlog, work } = await answers(c)
  const now = clock.now()
  const overdue = overdueMs(now, sweptAt, oldestDueAt)
  return c.json({
    status: missingSecrets(c.env).length > 0 ? 'not_configured' : overdue > LATE_MS ? 'late' : 'ok',
    now: iso(now),
    clock_rate: clock.rate,
    last_sweep_at: iso(sweptAt),
    oldest_overdue_ms: overdue,
    queue_backlog: backlog,
    work,
    development: isDevelopment(c.env),
    version: VERSION,
  })
})

/**
 * How late the oldest work is, in ms. The Directory learns of due work at each sweep. Between two sweeps, a Registry handles by its
 * own alarm what came due since the last one: that is not late.
 */
export function overdueMs(now: number, sweptAt: number | null, oldestDueAt: number | null): number {
  if (oldestDueAt === null || oldestDueAt >= now) return 0
  const sweepsRun = sweptAt !== null && now - sweptAt < 2 * TICK_MS
  return sweepsRun && oldestDueAt >= sweptAt ? 0 : now - oldestDueAt
}

async function answers(c: Call): Promise<Answers> {
  const clock = clockOf(c)
  const now = clock.now()
  const last = lastAnswers.get(c.env.DIRECTORY)
  if (last !== undefined && last.at <= now && now - last.at < REUSED_MS * clock.rate) return last
  const [{ sweptAt, oldestDueAt, work }, backlog] = await Promise.all([directoryOf(c).health(), waiting(c)])
  const fresh = { at: now, sweptAt, oldestDueAt, backlog, work }
  lastAnswers.set(c.env.DIRECTORY, fresh)
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
