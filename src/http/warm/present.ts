import { Failure } from '../../contract/failure.ts'
import type { FailureValue } from '../../contract/failure.ts'
import type { Advice } from '../../core/model/advice.ts'
import { nearModel } from '../../providers/meant.ts'
import { cardById } from '../../runtime/cards.ts'
import { markerAdvice } from '../../registration/marker-advice.ts'
import type { Preparation } from '../../registration/prepare.ts'
import { retentionInForce } from '../../registration/record.ts'
import { jobJson, ownAdvice, planJson, receiptJson, warmthJson } from '../present/prefix.ts'
import type { ReceivedView } from '../present/prefix.ts'
import type { WarmResult } from './follow.ts'
import { keptAsItWas } from './required.ts'

/** The answer to a warm. `advice`: what this call adds to the advice of the prefix. Throws the failure of its call. */
export function warmedJson(view: ReceivedView, created: boolean, result: WarmResult, advice: readonly Advice[] = []) {
  const { record } = view
  return {
    id: record.id,
    fingerprint: record.fingerprint,
    created,
    name: record.name,
    version: record.version,
    warmth: warmthJson(view.belief),
    receipt: receiptOf(result, view),
    plan: planJson(view),
    advice: [...advice, ...ownAdvice(view)],
    ...(result.job === null ? {} : { job: jobJson(result.job) }),
  }
}

/** The Registry replaces a body that no call was ever answered for. */
const REPLACED_NEXT = ', and the next body of the same content replaces this one'

function receiptOf(
  { settled, answer }: WarmResult,
  { record, state }: Pick<ReceivedView, 'record' | 'state'>,
): Record<string, unknown> | null {
  if (settled === null) return null
  if (settled.failure !== null) throw staysRegistered(settled.failure, record, state.lastReceipt !== null)
  if (settled.receipt === null) return null
  return { ...receiptJson(settled.receipt), provider_response: answer === null ? null : parsed(answer) }
}

/** The failure of a warm. `wasAnswered`: a call with the registered body was answered before. */
export function staysRegistered(
  { kind, message, detail }: FailureValue,
  { id, provider, model }: Pick<ReceivedView['record'], 'id' | 'provider' | 'model'>,
  wasAnswered: boolean,
): Failure {
  const next = kind === 'provider_rejected' && !wasAnswered ? REPLACED_NEXT : ''
  const card = cardById(provider)
  const near = card === undefined || detail?.['cause'] !== 'unknown_model' ? null : nearModel(card, model)
  const hint = near === null || near === model ? '' : ` Did you mean "${near}"?`
  const what = kind === 'provider_rejected' ? ` The model was ${model}.${hint}` : ''
  const text = `${message.replace(/\.?$/, '.')}${what} The prefix stays registered${next}.`
  return new Failure(kind, text, { ...detail, prefix_id: id })
}

/** A streamed answer is no JSON, and is left out. */
function parsed(answer: string): unknown {
  try {
    return JSON.parse(answer)
  } catch {
    return null
  }
}

/** Advice for this call alone: what the stored prefix keeps, and what its own advice does not say yet. */
export function callAdvice(view: Pick<ReceivedView, 'record' | 'state'>, preparation: Preparation): Advice[] {
  const known = ownAdvice(view)
  const isNew = (one: Advice): boolean =>
    !known.some(({ cause, message, at }) => cause === one.cause && message === one.message && at === one.at)
  const { advice, retention } = preparation.registration
  // A known prefix keeps its own retention. This call cannot change it.
  const own = markerAdvice(advice, retention, retentionInForce(view.record, view.state))
  return [...keptAsItWas(view, preparation), ...own.filter(isNew)]
}
