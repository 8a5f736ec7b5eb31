import * as z from 'zod'
import { Failure } from '../contract/failures.ts'
import { duration } from '../contract/scalars.ts'
import { account } from './auth.ts'
import { clockOf, registryOf, room } from './context.ts'
import { jobJson } from './present.ts'
import { readQuery } from './query.ts'

export const LONGEST_WAIT_MS = 60_000
const ASK_AGAIN_MS = 400

export const jobQuery = z.strictObject({
  wait: duration
    .refine((ms) => ms <= LONGEST_WAIT_MS, { error: `must be at most ${LONGEST_WAIT_MS / 1_000} seconds` })
    .optional()
    .meta({ description: 'How long to wait for its end before answering, such as "30s".' }),
})

export const jobs = room().get('/jobs/:id', account, async (c) => {
  const { id } = c.req.param()
  const { wait = 0 } = readQuery(c, jobQuery)
  if (!/^job_[0-9a-f]{24}$/.test(id)) throw new Failure('not_found', 'There is no such job.')
  const [clock, registry] = [clockOf(c), registryOf(c)]
  const until = clock.now() + wait
  for (;;) {
    const job = await registry.job(id)
    const left = until - clock.now()
    if (job.finishedAt !== null || left <= 0) return c.json(jobJson(job))
    await clock.sleep(Math.min(left, ASK_AGAIN_MS * clock.rate))
  }
})
