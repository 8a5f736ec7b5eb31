import { gatewayBody, poolModelName } from '../../contract/model-pool.ts'
import type { GatewayBody } from '../../contract/model-pool.ts'
import { Failure, invalid } from '../../contract/failure.ts'
import { barredUntil } from '../../core/model/model-pool.ts'
import type { ModelPool, PoolModel } from '../../core/model/model-pool.ts'
import { cardById } from '../../runtime/cards.ts'
import { accessTo } from '../../runtime/env.ts'
import { account } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { clockOf, registryOf, router } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { DEFAULT_CREDENTIAL, elsewhere } from '../../calls/credential.ts'
import type { Advice } from '../../core/model/advice.ts'
import { iso } from '../present/format.ts'
import { warmthJson } from '../present/prefix.ts'
import type { ReceivedView } from '../present/prefix.ts'
import { credentialsNamed, refuseElsewhere, refuseRegion } from '../server/credential.ts'
import type { KnownCredentials } from '../server/credential.ts'
import { useOf } from '../../registration/credential-use.ts'
import { cardFor } from '../../registration/native.ts'

/** Pools of models, as real traffic uses them. */
export const gateways = router()
  .get('/gateways', account, async (c) => {
    const pools = await registryOf(c).pools()
    const now = clockOf(c).now()
    const known = await credentialsOf(c, pools)
    const data = pools.map((pool) => poolJson(pool, now, credentialAdvice(c, pool, known)))
    return c.json({ data, next_cursor: null })
  })
  .get('/gateways/:name', account, async (c) => {
    const pool = await poolNamed(c, nameOf(c))
    const names = pool.models.map(({ name }) => name)
    const warmed = await registryOf(c).pooled(pool.name, names)
    const advice = credentialAdvice(c, pool, await credentialsOf(c, [pool]), warmed)
    return c.json(poolJson(pool, clockOf(c).now(), advice, warmed))
  })
  .put('/gateways/:name', account, async (c) => {
    const name = nameOf(c)
    const { description, fallback, models } = await readBody(c, gatewayBody)
    const known = await credentialsNamed(
      c,
      models.map(({ credential }) => credential),
    )
    const members = models.map((given, index) => memberOf(c, given, index, known))
    const { pool, created } = await registryOf(c).putPool({
      name,
      description: description ?? null,
      fallback: fallback ?? true,
      models: members,
    })
    return c.json(poolJson(pool, clockOf(c).now(), []), created ? 201 : 200)
  })
  .delete('/gateways/:name', account, async (c) => {
    const name = nameOf(c)
    if (await registryOf(c).removePool(name)) return c.json({ id: name, deleted: true })
    throw unknown()
  })

const unknown = (): Failure =>
  new Failure('not_found', 'There is no pool of models with this name.', { field: 'gateway' })

function nameOf(c: Call): string {
  const name = poolModelName.safeParse(c.req.param('name'))
  if (name.success) return name.data
  throw invalid('name', 'must be 1 to 64 letters, digits, dots, hyphens and underscores')
}

/** The pool of that name. Throws `not_found`. */
export async function poolNamed(c: Call, name: string): Promise<ModelPool> {
  const pool = await registryOf(c).pool(name)
  if (pool === null) throw unknown()
  return pool
}

/** One model of a pool. Throws `invalid_request` where it names a provider or a credential that does not exist. */
function memberOf(c: Call, given: GatewayBody['models'][number], index: number, known: KnownCredentials): PoolModel {
  const at = `models[${index}]`
  const [provider, model] = providerAndModel(given, at)
  if (given.provider === undefined && cardById(provider) === undefined) {
    const what =
      'must begin with a provider id, as in "provider/id", or provider must be given. GET /providers lists the ids'
    throw invalid(`${at}.model`, what)
  }
  const card = cardFor(provider, `${at}.provider`)
  refuseRegion(card, given.region, `${at}.region`)
  const { name } = useOf(given.credential, known, `${at}.credential`)
  const own = known.get(name)
  if (own !== undefined) refuseElsewhere(c, card, own, `${at}.credential`, given.region ?? own.region ?? undefined)
  return {
    name: given.name,
    provider: card.id,
    model,
    credential: own === undefined ? null : name,
    ...(given.region === undefined ? {} : { region: given.region }),
    description: given.description ?? null,
    constraints: given.time_constraints ?? [],
  }
}

function providerAndModel({ provider, model }: GatewayBody['models'][number], at: string): [string, string] {
  if (provider !== undefined) return [provider, model]
  const slash = model.indexOf('/')
  if (slash > 0 && slash < model.length - 1) return [model.slice(0, slash), model.slice(slash + 1)]
  throw invalid(`${at}.provider`, 'is missing; give it, or write model as "provider/id"')
}

/** The account's own credentials that pools name. */
function credentialsOf(c: Call, pools: readonly ModelPool[]): Promise<KnownCredentials> {
  const names = pools.flatMap(({ models }) => models.flatMap(({ credential }) => credential ?? []))
  return credentialsNamed(c, names)
}

/** Prefixes that were warmed through a pool, by model, the newest first. */
type Warmed = Readonly<Record<string, readonly ReceivedView[]>>

/** Models whose credential is not what it was when the pool was stored, or when their newest prefix was warmed. */
function credentialAdvice(c: Call, { models }: ModelPool, known: KnownCredentials, warmed: Warmed = {}): Advice[] {
  return models.flatMap((one, index): Advice[] => {
    if (one.credential === null) return []
    const at = `models[${index}].credential`
    const own = known.get(one.credential)
    const name = `the credential ${one.credential} of ${one.name}`
    if (own === undefined) {
      const message = `There is no ${name.slice('the '.length)} any more: store it again, or give the model another one. Nothing is warmed through it meanwhile.`
      return [{ cause: 'credential_missing', message, at, severity: 'warning' }]
    }
    const card = cardById(one.provider)
    const refused =
      card === undefined ? null : elsewhere(own, accessTo(card, c.env, one.region ?? own.region ?? undefined))
    if (refused !== null) {
      const message = `Model ${one.name} cannot be warmed: ${refused}.`
      return [{ cause: 'credential_elsewhere', message, at, severity: 'warning' }]
    }
    const newest = warmed[one.name]?.[0]?.record
    if (newest === undefined || newest.credential !== one.credential) return []
    const { credentialGeneration = 1 } = newest
    if (credentialGeneration === own.generation) return []
    const message = `After ${newest.id} was warmed, ${name} was replaced, and the new key cannot read what the former one wrote. Warm it through this pool again (POST /warm).`
    return [{ cause: 'credential_replaced', message, at, severity: 'warning' }]
  })
}

/** `warmed`: prefixes that were warmed through it. `advice`: what is to be said of its credentials. */
export function poolJson(
  { name, description, fallback, models, createdAt, changedAt }: ModelPool,
  now: number,
  advice: readonly Advice[],
  warmed?: Warmed,
) {
  return {
    name,
    description,
    fallback,
    models: models.map((one) => ({
      name: one.name,
      provider: one.provider,
      model: one.model,
      credential: one.credential ?? DEFAULT_CREDENTIAL,
      ...(one.region === undefined ? {} : { region: one.region }),
      description: one.description,
      time_constraints: one.constraints.map(({ fromMinute, toMinute }) => ({
        from: timeOf(fromMinute),
        to: timeOf(toMinute),
      })),
      usable_at: iso(barredUntil(one, now)),
      ...(warmed === undefined ? {} : { prefixes: (warmed[one.name] ?? []).map(pooledJson) }),
    })),
    created_at: iso(createdAt),
    changed_at: iso(changedAt),
    advice: [...adviceOf(models), ...advice],
  }
}

function pooledJson({ record, belief }: ReceivedView) {
  const { state, p_warm, warm_until, why } = warmthJson(belief)
  return { id: record.id, name: record.name, state, p_warm, warm_until, why }
}

function timeOf(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
}

function adviceOf(models: readonly PoolModel[]): Advice[] {
  if (models.length > 1) return []
  const message = 'This pool has only one model, so traffic cannot fall back.'
  return [{ cause: 'one_model', message, at: 'models' }]
}
