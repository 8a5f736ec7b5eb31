import type { WarmBody } from '../../contract/warm.ts'
import type { PrefixView } from '../../durable/registry/records/prefix-view.ts'
import { placeOf } from '../../runtime/env.ts'
import { newId } from '../../runtime/ids.ts'
import { joinBurst } from './burst.ts'
import { clockOf, registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { dryRun } from './dry-run.ts'
import { markerAdvice } from '../../registration/marker-advice.ts'
import { prepareWarm, registrationOf } from '../../registration/prepare.ts'
import type { Preparation } from '../../registration/prepare.ts'
import { ownAdvice } from '../present/prefix.ts'
import { keptAsItWas, requireHonoured, requireSameTerms } from './required.ts'
import { retentionAdvice } from '../present/retention-advice.ts'
import { follow, warmedJson } from './follow.ts'
import type { Advice } from '../../core/model/advice.ts'
import { refuseElsewhere } from '../server/credential.ts'
import type { credentialsNamed } from '../server/credential.ts'
import { refuseUnwarmed, refuseWithoutCredential } from '../server/access.ts'
import { retentionInForce } from '../../registration/record.ts'
import { useOf } from '../../registration/credential-use.ts'

/** Real time; a receipt never answers a call that came much later. */
const LONGEST_BURST_MS = 10_000
const LINGER_MS = 400

/** An answer to a warm, with its status. */
export interface Warmed {
  status: 200 | 202
  json: ReturnType<typeof warmedJson> | Awaited<ReturnType<typeof dryRun>>
}

/** Registers one prefix and warms it as its body asks: one model, one key. `known`: the credentials that it may name. */
export async function warmOne(
  c: Call,
  body: WarmBody,
  known: Awaited<ReturnType<typeof credentialsNamed>>,
): Promise<Warmed> {
  const clock = clockOf(c)
  const credential = useOf(body.credential, known)
  const preparation = prepareWarm(body, clock.now(), credential, (card) => placeOf(card, c.env))
  const own = known.get(credential.name)
  if (own !== undefined) refuseElsewhere(c, preparation.card, own)
  refuseUnwarmed(c, preparation.card)
  if (preparation.dryRun) return { status: 200, json: await dryRun(c, preparation) }
  if (own === undefined) await refuseWithoutCredential(c, preparation.card)
  const required = await requireSameTerms(c, preparation)
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
    const { headers, registration } = preparation
    const { place = null } = registration
    const stored = warmed.created ? { text, breakpoint, cacheKey, headers, place } : null
    const first = await follow(c, warmed.view, warmed.flight, stored, required)
    const warmth = required === null ? first : await requireHonoured(c, warmed.view, first, required)
    const view = warmth.job === null ? await registry.view(warmed.view.record.id) : warmed.view
    const now = clock.now()
    const remarks = [...remarksOf(view, preparation), ...retentionAdvice(view, now, clock.grainMs)]
    const json = warmedJson(view, warmed.created, warmth, remarks)
    return { status: warmth.job === null ? 200 : 202, json }
  } finally {
    burst.leave(clock.now())
  }
}

/** What this call should be told beyond what the prefix was registered with. */
function remarksOf(view: Pick<PrefixView, 'record' | 'state'>, preparation: Preparation): Advice[] {
  const known = ownAdvice(view)
  const isNew = (one: Advice): boolean =>
    !known.some(({ cause, message, at }) => cause === one.cause && message === one.message && at === one.at)
  const { advice, retention } = preparation.registration
  // Of a known prefix, what stands is in force, and not what this call asks for.
  const own = markerAdvice(advice, retention, retentionInForce(view.record, view.state))
  return [...keptAsItWas(view, preparation), ...own.filter(isNew)]
}
