import { Failure } from '../../contract/failure.ts'
import { judgeRequired, notHonoured } from '../../core/cache/required.ts'
import type { Asked } from '../../core/cache/required.ts'
import type { Receipt } from '../../core/prefix/receipt.ts'
import { newId } from '../../runtime/ids.ts'
import type { StoredBody } from '../../calls/probe.ts'
import type { ReceivedView } from '../present/prefix.ts'
import { registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { follow } from './follow.ts'
import type { BegunWarm, WarmResult } from './follow.ts'

/**
 * Follows a warm to its end and judges it by what was required. `view` is read again once the warm has ended.
 * Throws `cache_not_honoured`, and what `follow` throws.
 */
export async function judged(
  c: Call,
  warmed: BegunWarm,
  stored: StoredBody | null,
  required: Asked | null,
): Promise<{ view: ReceivedView; result: WarmResult }> {
  const first = await follow(c, warmed, stored, required)
  const result = required === null ? first : await requireHonoured(c, warmed.view, first, required)
  return { result, view: result.job === null ? await registryOf(c).view(warmed.view.record.id) : warmed.view }
}

/**
 * The result that a required cache is judged by: the first, or that of the last warm that was sent to settle a doubt. A warm
 * that became a job is returned as it is.
 */
async function requireHonoured(c: Call, view: ReceivedView, first: WarmResult, required: Asked): Promise<WarmResult> {
  let result = first
  for (let { checksLeft } = required; ; checksLeft--) {
    const receipt = result.settled?.receipt ?? null
    if (receipt === null) return result
    const asked = { ...required, checksLeft }
    const verdict = judgeRequired(receipt, asked)
    if (verdict.kind === 'honoured') return result
    if (verdict.kind === 'broken') throw broken(verdict.why, receipt, asked, view, result !== first)
    const next = await checked(c, view, receipt)
    if ('why' in next) throw broken(`${verdict.why}; ${next.why}`, receipt, asked, view, false)
    result = next.result
  }
}

/** One more warm of the prefix. Callers with the same doubt share it. */
async function checked(
  c: Call,
  view: ReceivedView,
  receipt: Receipt,
): Promise<{ result: WarmResult } | { why: string }> {
  const { id } = view.record
  const { flight } = await registryOf(c).warm(id, 'now', newId('job'), receipt.at + receipt.latencyMs)
  if (flight.role === 'refused') return { why: `it could not be verified: ${flight.why}` }
  const result = await follow(c, { view, flight }, null, null)
  if (result.job !== null) return { why: 'the provider did not answer the verifying call in time' }
  const failure = result.settled?.failure ?? null
  return failure === null ? { result } : { why: `it could not be verified: ${failure.message}` }
}

function broken(why: string, receipt: Receipt, asked: Asked, view: ReceivedView, verified: boolean): Failure {
  const { kind, message, detail } = notHonoured(why, receipt, asked, view.record.id, verified)
  return new Failure(kind, message, detail)
}
