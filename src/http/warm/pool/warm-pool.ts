import pLimit from 'p-limit'
import { Failure, invalid, readFailure } from '../../../contract/failure.ts'
import type { FailureValue } from '../../../contract/failure.ts'
import { LONGEST_LABEL } from '../../../contract/scalars.ts'
import type { WarmBody } from '../../../contract/warm.ts'
import { routeOf } from '../../../core/model/model-pool.ts'
import type { ModelPool, PoolModel, Route } from '../../../core/model/model-pool.ts'
import type { Call } from '../../server/context.ts'
import { clockOf } from '../../server/context.ts'
import { RawJson } from '../../../contract/raw-json.ts'
import { withModel } from '../../../providers/prefix/native-form.ts'
import { cardOf } from '../../../registration/native.ts'
import { queueInOrder } from './background.ts'
import { poolNamed } from '../../gateways/routes.ts'
import { refuseBackground } from '../../server/handle.ts'
import { handleBodyOf, warmHandle } from '../handle.ts'
import { warmOne } from '../warm-one.ts'
import type { Warmed } from '../warm-one.ts'
import { failureJson, iso } from '../../present/format.ts'
import { credentialsNamed } from '../../server/credential.ts'
import type { KnownCredentials } from '../../server/credential.ts'

/** Calls in flight at once: the platform's limit of open connections for one invocation. */
const AT_ONCE = 6

/** A warm of a handle, which calls no model. */
interface WarmedHandle {
  status: 200
  json: Awaited<ReturnType<typeof warmHandle>>
}

/** The outcome for one model of the pool. */
interface ModelOutcome {
  model: PoolModel
  warmed: Warmed | WarmedHandle | null
  failure: FailureValue | null
}

/**
 * Warms the models that real traffic reaches through a pool: the preferred one, and the next only if it fails, as traffic falls
 * back. With `gateway_models: "all"`, all of them. Each model has its own result. Throws when none could be warmed.
 */
export async function warmPool(c: Call, body: WarmBody) {
  const { gateway = '', model_preference: preference = null, gateway_models: which = 'first' } = body
  refuseBeside(body)
  const pool = await poolNamed(c, gateway)
  const names = pool.models.map(({ name }) => name)
  if (preference !== null && !names.includes(preference)) {
    const text = `model_preference: must be one of ${names.join(', ')}.`
    throw new Failure('invalid_request', text, { field: 'model_preference', known: names })
  }
  refuseLongName(body.name, names)
  const now = clockOf(c).now()
  const route = routeOf(pool, preference, now)
  if (route.reachable.length === 0) throw barredFailure(gateway, route, now)
  const known = await credentialsNamed(
    c,
    pool.models.map(({ credential }) => credential ?? undefined),
  )
  refuseOtherFormats(body, pool)
  const warmModel = (model: PoolModel): Promise<ModelOutcome> =>
    outcomeOf(c, gateway, bodyFor(body, model), model, known)
  const bodies = route.reachable.map((model) => ({ model, body: bodyFor(body, model) }))
  for (const one of bodies) if (handleBodyOf(one.body) !== null) refuseBackground(body)
  const inOrder = body.background === true && body.dry_run !== true && which === 'first'
  const results = inOrder
    ? await queueInOrder(c, gateway, bodies, known)
    : which === 'all'
      ? await all(route.reachable, warmModel)
      : await firstThatWorks(route.reachable, warmModel)
  if (results.every(({ warmed }) => warmed === null)) throw allFailed(gateway, results)
  return {
    status: results.some(({ warmed }) => warmed?.status === 202) ? 202 : 200,
    json: answer(body, route, results),
  } as const
}

/** Refuses fields that the pool sets itself. */
function refuseBeside(body: WarmBody): void {
  for (const field of ['provider', 'model', 'credential', 'region'] as const) {
    if (body[field] !== undefined) throw invalid(field, 'is set by the pool; it cannot be combined with gateway')
  }
}

/** Refuses a native body for a pool whose models take several formats: it would be another body for some of them. */
function refuseOtherFormats({ request }: WarmBody, { models }: ModelPool): void {
  if (request === undefined) return
  const formats = new Set(
    models.map(({ provider, model }) => cardOf({ provider, request, model }, 'gateway').dialect.id),
  )
  if (formats.size < 2) return
  const text = `is in one format, but the models of the pool take ${[...formats].join(' and ')}; give system, tools and messages`
  throw invalid('request', text)
}

/** The body for one model of the pool: with its provider, its credential, and a label of its own, which has its own versions. */
function bodyFor(body: WarmBody, { provider, model, credential, region, name: own }: PoolModel): WarmBody {
  const { gateway: _, model_preference: __, gateway_models: ___, name, request, ...rest } = body
  return {
    ...rest,
    provider,
    model,
    ...(request === undefined ? {} : { request: new RawJson(withModel(request.text, model)) }),
    ...(credential === null ? {} : { credential }),
    ...(region === undefined ? {} : { region }),
    ...(name === undefined ? {} : { name: `${name}/${own}` }),
  }
}

/** Refuses a name that leaves no room for the models' names. Cut off, two models would share one label, and replace each other as its newest version. */
function refuseLongName(name: string | undefined, models: readonly string[]): void {
  const longest = Math.max(...models.map(({ length }) => length))
  const most = LONGEST_LABEL - longest - 1
  if (name === undefined || name.length <= most) return
  throw invalid(
    'name',
    `must be at most ${most} characters here, because "/" and the name of a model are appended to it`,
  )
}

function all(
  models: readonly PoolModel[],
  warmModel: (model: PoolModel) => Promise<ModelOutcome>,
): Promise<ModelOutcome[]> {
  const limit = pLimit(AT_ONCE)
  return Promise.all(models.map((model) => limit(() => warmModel(model))))
}

async function firstThatWorks(
  models: readonly PoolModel[],
  warmModel: (model: PoolModel) => Promise<ModelOutcome>,
): Promise<ModelOutcome[]> {
  const results: ModelOutcome[] = []
  for (const model of models) {
    const one = await warmModel(model)
    results.push(one)
    if (one.warmed !== null) break
  }
  return results
}

async function outcomeOf(
  c: Call,
  gateway: string,
  body: WarmBody,
  model: PoolModel,
  known: KnownCredentials,
): Promise<ModelOutcome> {
  try {
    const refers = handleBodyOf(body)
    // A handle belongs to one model: the others of the pool refuse it, and are passed over as those that fail.
    const warmed =
      refers === null
        ? await warmOne(c, body, known, { gateway, model: model.name })
        : { status: 200 as const, json: await warmHandle(c, body, refers) }
    return { model, warmed, failure: null }
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure === null) throw thrown
    return { model, warmed: null, failure }
  }
}

function barredFailure(gateway: string, { barred }: Route, now: number): Failure {
  const soonest = barred.toSorted((a, b) => a.until - b.until)[0]
  const spans = barred.map(({ model, until }) => `${model.name} until ${iso(until)}`)
  const text = `gateway: time constraints bar every model of "${gateway}" that this preference reaches: ${spans.join(', ')}.`
  const wait = soonest === undefined ? 60 : Math.max(1, Math.ceil((soonest.until - now) / 1_000))
  return new Failure('conflict', text, { field: 'gateway', retry_after_seconds: wait, barred: spans })
}

/** The failure of the first model, which traffic meets first, with those of the others in its text. */
function allFailed(gateway: string, results: readonly ModelOutcome[]): Failure {
  const first = results[0]?.failure
  const failures = results.map(({ model, failure }) => `${model.name}: ${failure?.kind}: ${failure?.message}`)
  const text = `No model of the pool "${gateway}" could be warmed. ${failures.join(' ')}`
  const models = results.map(({ model }) => model.name)
  const kinds = results.map(({ failure }) => failure?.kind ?? 'internal')
  return new Failure(first?.kind ?? 'internal', text, { ...first?.detail, gateway, models, kinds })
}

const STANDBY = 'traffic reaches it only if the models before it fail; "gateway_models": "all" warms it too'
const IN_TURN = 'it is warmed if the models before it fail; "gateway_models": "all" warms it now'

function answer(body: WarmBody, { first, reachable, barred, out }: Route, results: readonly ModelOutcome[]) {
  const shown = (model: PoolModel) => ({ name: model.name, provider: model.provider, model: model.model })
  const nothing = { usable_at: null, result: null, failure: null }
  const known = results.filter((one) => one.warmed !== null || one.failure !== null)
  const follows = body.background === true ? IN_TURN : STANDBY
  const warmed = results.filter((one) => statusOf(one) === 'warmed').map(({ model }) => model.name)
  return {
    gateway: body.gateway ?? '',
    model_preference: body.model_preference ?? null,
    warmed,
    fell_back: !results.some(({ model, warmed: done }) => done !== null && model === first),
    models: [
      ...known.map((one) => ({
        ...shown(one.model),
        status: statusOf(one),
        why: '',
        usable_at: null,
        result: one.warmed?.json ?? null,
        failure: one.failure === null ? null : failureJson(one.failure),
      })),
      ...reachable
        .filter((model) => !known.some((one) => one.model === model))
        .map((model) => ({
          ...shown(model),
          ...nothing,
          status: 'standby' as const,
          why: follows,
        })),
      ...barred.map(({ model, until }) => ({
        ...shown(model),
        ...nothing,
        status: 'barred' as const,
        why: 'its time constraints bar it now',
        usable_at: iso(until),
      })),
      ...out.map((model) => ({
        ...shown(model),
        ...nothing,
        status: 'out_of_reach' as const,
        why: 'the pool does not fall back',
      })),
    ],
  }
}

function statusOf({ warmed }: ModelOutcome): 'warmed' | 'queued' | 'unproven' | 'failed' | 'shown' {
  if (warmed === null) return 'failed'
  if ('dry_run' in warmed.json) return 'shown'
  if (warmed.status === 202) return 'queued'
  const { state } = warmed.json.warmth
  return state === 'warm' || state === 'expiring' ? 'warmed' : 'unproven'
}
