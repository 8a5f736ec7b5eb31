import { readFailure } from '../../../contract/failure.ts'
import type { FailureValue } from '../../../contract/failure.ts'
import type { WarmBody } from '../../../contract/warm.ts'
import type { Asked } from '../../../core/cache/required.ts'
import type { PoolModel } from '../../../core/model/model-pool.ts'
import { registrationOf } from '../../../registration/prepare.ts'
import type { Preparation } from '../../../registration/prepare.ts'
import { newId } from '../../../runtime/ids.ts'
import { registryOf } from '../../server/context.ts'
import type { Call } from '../../server/context.ts'
import type { KnownCredentials } from '../../server/credential.ts'
import { planned, requireSendable } from '../plan.ts'
import { leftToday } from '../../server/credential.ts'
import { counted } from '../count.ts'
import { refuseUnpriced } from '../unpriced.ts'
import { callAdvice, warmedJson } from '../present.ts'
import type { Warmed } from '../warm-one.ts'

/** A model with the body that it gets. */
export interface ModelBody {
  model: PoolModel
  body: WarmBody
}

/** How a model was put into the background: warmed first, refused before, or to follow where those before it fail (null). */
export interface QueuedModel {
  model: PoolModel
  warmed: Warmed | null
  failure: FailureValue | null
}

type Prepared = { model: PoolModel } & (
  | { preparation: Preparation; required: Asked | null }
  | { failure: FailureValue }
)

/** Queues the warm of the first model that can be sent. Should it fail later, the next one is warmed, and so on, without the caller. */
export async function queueInOrder(
  c: Call,
  gateway: string,
  bodies: readonly ModelBody[],
  known: KnownCredentials,
): Promise<QueuedModel[]> {
  const prepared = await Promise.all(bodies.map((one) => prepare(c, one, known)))
  const [first, ...others] = prepared.flatMap((one) => ('preparation' in one ? [one] : []))
  const queued =
    first === undefined
      ? null
      : await queue(
          c,
          gateway,
          first,
          others,
          bodies.some(({ body }) => body.allow_unpriced === true),
        )
  return prepared.map((one) => ({
    model: one.model,
    warmed: one === first ? queued : null,
    failure: 'failure' in one ? one.failure : null,
  }))
}

async function prepare(c: Call, { model, body }: ModelBody, known: KnownCredentials): Promise<Prepared> {
  try {
    const preparation = planned(c, body, known)
    refuseUnpriced(preparation, { given: body.allow_unpriced, waits: false })
    const required = await requireSendable(c, preparation, known)
    const ready = await counted(c, preparation, await leftToday(c))
    return { model, preparation: ready.preparation, required }
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure === null) throw thrown
    return { model, failure }
  }
}

type Ready = Extract<Prepared, { preparation: Preparation }>

async function queue(
  c: Call,
  gateway: string,
  { preparation, required, model }: Ready,
  others: readonly Ready[],
  unpriced: boolean,
): Promise<Warmed> {
  const pool = (one: PoolModel) => ({ gateway, model: one.name })
  const { view, created, flight } = await registryOf(c).registerInPool(
    { ...registrationOf(preparation), pool: pool(model) },
    newId('job'),
    c.var.askedAt,
    required,
    others.map((one) => ({
      registration: { ...registrationOf(one.preparation), pool: pool(one.model) },
      required: one.required,
      unpriced,
    })),
    unpriced,
  )
  const job = flight.role === 'queued' ? flight.job : null
  const result = { settled: null, answer: null, job }
  return { status: 202, json: warmedJson(view, created, result, callAdvice(view, preparation)) }
}
