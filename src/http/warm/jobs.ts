import * as z from 'zod'
import { Failure, readFailure } from '../../contract/failure.ts'
import { wait as waiting } from '../../contract/scalars.ts'
import type { Crew } from '../../durable/registry/records/crew.ts'
import type { Job } from '../../durable/registry/records/claim.ts'
import { account } from '../server/auth.ts'
import { clockOf, registryOf, router } from '../server/context.ts'
import type { Call, RegistryStub } from '../server/context.ts'
import { eventStream } from '../server/server-sent-events.ts'
import type { StreamEvent } from '../server/server-sent-events.ts'
import { jobJson } from '../present/prefix.ts'
import { agentJson, crewJson } from '../present/crew.ts'
import { readQuery } from '../server/query.ts'
import { failureJson } from '../present/format.ts'
import { longPoll } from '../server/long-poll.ts'

export const LONGEST_WAIT_MS = 60_000

export const jobQuery = z.strictObject({
  wait: waiting
    .refine((ms) => ms <= LONGEST_WAIT_MS, { error: `must be at most ${LONGEST_WAIT_MS / 1_000} seconds` })
    .optional()
    .meta({ description: 'How long to wait for its end before answering, such as "30s".' }),
})

/** In this clock: longest silence of an event stream. */
const HEARTBEAT_MS = 15_000

export const jobs = router()
  .get('/jobs/:id', account, async (c) => {
    const { wait = 0 } = readQuery(c, jobQuery)
    const [clock, id] = [clockOf(c), idOf(c)]
    const until = clock.now() + wait
    let one = await found(registryOf(c), id)
    while (!isOver(one) && clock.now() < until) {
      const from = one
      one = (await longPoll(c, until - clock.now(), (registry, left) => moved(registry, id, from, left))) ?? from
    }
    return c.json(shown(one))
  })
  .get('/jobs/:id/events', account, async (c) => {
    const id = idOf(c)
    const first = await found(registryOf(c), id) // an unknown job is not found, and no stream
    const seen = c.req.header('last-event-id') ?? ''
    return eventStream(progress(c, id, first, /^\d{1,9}$/.test(seen) ? Number(seen) : 0), clockOf(c))
  })

type AnyJob = { crew: Crew } | { job: Job }

function idOf(c: Call): string {
  const { id = '' } = c.req.param() as { id?: string }
  if (!/^job_[0-9a-f]{24}$/.test(id)) throw new Failure('not_found', 'There is no job with this id.')
  return id
}

/** The job of a single warm, or that of a crew. */
async function found(registry: RegistryStub, id: string): Promise<AnyJob> {
  const one = await registry.anyJob(id)
  if (one === null) throw new Failure('not_found', 'There is no job with this id.')
  return one
}

const shown = (one: AnyJob) => ('crew' in one ? crewJson(one.crew) : jobJson(one.job))

async function moved(registry: RegistryStub, id: string, from: AnyJob, waitMs: number): Promise<AnyJob> {
  if ('crew' in from) return { crew: await registry.crewChanged(id, from.crew.revision, waitMs) }
  return { job: await registry.jobChanged(id, from.job.status, waitMs) }
}

/** The progress of a job: its changes as events, and the whole job at its end. */
async function* progress(c: Call, id: string, first: AnyJob, seen: number): AsyncGenerator<StreamEvent | null> {
  let now = first
  let before: AnyJob | null = null
  for (;;) {
    try {
      yield* changes(before, now, seen)
      if (isOver(now)) {
        yield { event: 'done', id: revisionOf(now), data: shown(now) }
        return
      }
      const from = now
      before = from
      now = (await longPoll(c, HEARTBEAT_MS, (registry, left) => moved(registry, id, from, left))) ?? from
    } catch (thrown) {
      const failure = readFailure(thrown)
      if (failure === null) throw thrown
      yield { event: 'error', id: null, data: failureJson(failure) }
      return
    }
    yield null // keeps the connection open
  }
}

const isOver = (one: AnyJob): boolean => ('crew' in one ? one.crew.finishedAt : one.job.finishedAt) !== null
const revisionOf = (one: AnyJob): number | null => ('crew' in one ? one.crew.revision : null)

/** Events for what changed from `before` to `now`. `seen`: the last revision that a reconnecting caller has. */
function* changes(before: AnyJob | null, now: AnyJob, seen: number): Generator<StreamEvent> {
  if ('job' in now) {
    const same = before !== null && 'job' in before && before.job.status === now.job.status
    if (!same) yield { event: 'status', id: null, data: { id: now.job.id, status: now.job.status } }
    return
  }
  const { crew } = now
  if (before === null && seen >= crew.revision) return
  const earlier = before !== null && 'crew' in before ? before.crew : null
  const id = crew.revision
  for (const [index, head] of crew.heads.entries()) {
    if (head === null || head.step === earlier?.heads[index]?.step) continue
    yield { event: 'head', id, data: { group: index, status: head.step, prefix_id: head.prefixId } }
  }
  for (const [index, agent] of crew.agents.entries()) {
    if (agent.step !== earlier?.agents[index]?.step) yield { event: 'agent', id, data: agentJson(agent, index) }
  }
}
