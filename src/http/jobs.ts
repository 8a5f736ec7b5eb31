import { Failure } from '../contract/failures.ts'
import { account } from './auth.ts'
import { registryOf, room } from './context.ts'
import { jobJson } from './present.ts'

export const jobs = room().get('/jobs/:id', account, async (c) => {
  const { id } = c.req.param()
  if (!/^job_[0-9a-f]{24}$/.test(id)) throw new Failure('not_found', 'There is no such job.')
  return c.json(jobJson(await registryOf(c).job(id)))
})
