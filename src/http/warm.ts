import { warmBody } from '../contract/warm.ts'
import type { Advice } from '../core/types.ts'
import type { PrefixView } from '../durable/prefix-view.ts'
import { newId } from '../runtime/ids.ts'
import { account } from './auth.ts'
import { readBody } from './body.ts'
import type { RawPath } from './body.ts'
import { joinBurst } from './burst.ts'
import { clockOf, registryOf, room } from './context.ts'
import { credentialsNamed, refuseElsewhere, useOf } from './credentials.ts'
import { dryRun } from './dry-run.ts'
import { idempotent } from './idempotency.ts'
import { prepareWarm, registrationOf } from './preparation.ts'
import type { Preparation } from './preparation.ts'
import { refuseOtherRetention, requireHonoured, requirement } from './required.ts'
import { follow, refuseUnwarmed, refuseWithoutCredential, warmedJson } from './warming.ts'

/** Real time; a receipt never answers a call that came much later. */
const LONGEST_BURST_MS = 10_000
const LINGER_MS = 400

/** The provider's body, and the schemas inside the neutral form. */
export const rawInWarm: RawPath = (path) =>
  (path.length === 1 && path[0] === 'request') || (path.length === 3 && path[0] === 'tools' && path[2] === 'parameters')

export const warm = room().post('/warm', account, idempotent, async (c) => {
  const body = await readBody(c, warmBody, { raw: rawInWarm })
  const clock = clockOf(c)
  const known = await credentialsNamed(c, [body.credential])
  const credential = useOf(body.credential, known)
  const preparation = prepareWarm(body, clock.now(), credential)
  const own = known.get(credential.name)
  if (own !== undefined) refuseElsewhere(c, preparation.card, own)
  refuseUnwarmed(c, preparation.card)
  if (preparation.dryRun) return c.json(await dryRun(c, preparation))
  if (own === undefined) await refuseWithoutCredential(c, preparation.card)
  const required = requirement(preparation)
  if (required !== null) await refuseOtherRetention(c, preparation)
  const registry = registryOf(c)
  const { account: name, askedAt } = c.var
  const burst = joinBurst(`${name} ${preparation.fingerprint}`, askedAt, {
    longestMs: LONGEST_BURST_MS * clock.rate,
    lingerMs: LINGER_MS * clock.rate,
  })
  try {
    const how = preparation.background ? 'later' : 'now'
    const warmed = await registry.register(registrationOf(preparation), how, newId('job'), burst.askedAt, required)
    const { text, breakpoint, cacheKey } = preparation.prefix
    // A prefix that was known keeps the body it was first registered with, whatever the spacing of this one.
    const stored = warmed.created ? { text, breakpoint, cacheKey } : null
    const first = await follow(c, warmed.view, warmed.flight, stored, required)
    const warmth = required === null ? first : await requireHonoured(c, warmed.view, first, required)
    const view = warmth.job === null ? await registry.view(warmed.view.record.id) : warmed.view
    return c.json(
      warmedJson(view, warmed.created, warmth, remarksOf(view, preparation)),
      warmth.job === null ? 200 : 202,
    )
  } finally {
    burst.leave(clock.now())
  }
})

/** What this call should be told beyond what the prefix was registered with. */
function remarksOf(view: Pick<PrefixView, 'record'>, { prefix, registration }: Preparation): Advice[] {
  const isNew = (one: Advice): boolean =>
    !view.record.advice.some(
      ({ cause, message, at }) => cause === one.cause && message === one.message && at === one.at,
    )
  return [...keptAsItWas(view, prefix.retention), ...registration.advice.filter(isNew)]
}

/** Content decides what is the same prefix, its retention does not: who comes second is told what stands. */
function keptAsItWas(view: Pick<PrefixView, 'record'>, wanted: string): Advice[] {
  const { retention } = view.record
  if (retention === wanted) return []
  const message = `This content is registered at retention ${retention} already and stays so; to have it at ${wanted}, DELETE /prefixes/${view.record.id} and register it again.`
  return [{ cause: 'retention_kept', message, at: 'cache.retention' }]
}
