import { judgeRequired, notHonoured } from '../../../core/cache/required.ts'
import type { Job, Settled } from './claim.ts'

/**
 * A job after a settlement of its prefix. A job that requires the cache is judged by the receipt. Where the receipt leaves a doubt,
 * the job stays queued for one more call.
 */
export function endedJob(job: Job, settled: Settled, now: number): Job {
  const end = ({ receipt, failure }: Settled): Job => ({
    ...job,
    receipt,
    failure,
    status: failure === null ? 'succeeded' : 'failed',
    finishedAt: now,
  })
  const { receipt, failure } = settled
  if (job.required === undefined) return end(settled)
  const { doubt, ...asked } = job.required
  if (receipt === null) {
    if (doubt === null) return end(settled)
    const why = `${doubt.why}; it could not be verified: ${failure?.message ?? 'nothing was sent'}`
    return end({ receipt: doubt, failure: notHonoured(why, doubt, asked, job.prefixId, false) })
  }
  const verdict = judgeRequired(receipt, asked)
  if (verdict.kind === 'check') {
    return { ...job, required: { ...asked, checksLeft: asked.checksLeft - 1, doubt: receipt } }
  }
  if (verdict.kind === 'honoured') return end(settled)
  return end({ receipt, failure: notHonoured(verdict.why, receipt, asked, job.prefixId, doubt !== null) })
}
