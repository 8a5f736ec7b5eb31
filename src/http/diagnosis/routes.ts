import { diagnoseBody } from '../../contract/diagnosis.ts'
import { DIAGNOSE_RAW, diagnoseRequests } from '../../diagnosis/diagnose.ts'
import { accountReads } from '../server/auth.ts'
import { clockOf, router } from '../server/context.ts'
import { readBody } from '../server/read-body.ts'

/** Says why a request missed. Nothing is stored or sent. */
export const diagnosis = router().post('/diagnose', accountReads, async (c) => {
  const body = await readBody(c, diagnoseBody, { raw: DIAGNOSE_RAW })
  return c.json(diagnoseRequests(body, clockOf(c).now()))
})
