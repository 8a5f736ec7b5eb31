import type { Asked } from '../../core/cache/required.ts'
import type { WarmBody } from '../../contract/warm.ts'
import { noTemplateWork } from '../../core/prompt/template.ts'
import type { TemplateWork } from '../../core/prompt/template.ts'
import { useOf } from '../../registration/credential-use.ts'
import { prepareWarm } from '../../registration/prepare.ts'
import type { Preparation, PrepareOptions } from '../../registration/prepare.ts'
import type { Card } from '../../providers/card.ts'
import { placeOf } from '../../runtime/env.ts'
import { clockOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { refuseElsewhere, refuseRegion, refuseUnwarmed, refuseWithoutSecret } from '../server/credential.ts'
import type { KnownCredentials } from '../server/credential.ts'
import { requireSameTerms } from './required.ts'

/** What templates have done in each request: it prepares a body several times, or many bodies. */
const templateWork = new WeakMap<Call, TemplateWork>()

function templateWorkOf(c: Call): TemplateWork {
  const work = templateWork.get(c) ?? noTemplateWork()
  templateWork.set(c, work)
  return work
}

/** Prepares a body for this deployment. `known`: the credentials that it may name. `how`: as `prepareWarm` takes it. */
export function prepared(
  c: Call,
  body: WarmBody,
  known: KnownCredentials,
  how: Pick<PrepareOptions, 'anySize' | 'systemHead'> = {},
): Preparation {
  const credential = useOf(body.credential, known)
  const region = body.region ?? known.get(credential.name)?.region ?? undefined
  return prepareWarm(body, clockOf(c).now(), {
    credential,
    region,
    placeOf: (card) => placedIn(c, card, region),
    lint: c.var.lint,
    templateWork: templateWorkOf(c),
    ...how,
  })
}

/** Names the place of a provider in a region. Throws `invalid_request` where its address holds none. */
function placedIn(c: Call, card: Card, region: string | undefined): string | null {
  refuseRegion(card, region)
  return placeOf(card, c.env, region)
}

/** The same, with a provider and a credential that this deployment can send to. */
export function planned(c: Call, body: WarmBody, known: KnownCredentials): Preparation {
  const preparation = prepared(c, body, known)
  const own = known.get(preparation.registration.credential)
  if (own !== undefined) refuseElsewhere(c, preparation.card, own, 'credential', preparation.registration.region)
  refuseUnwarmed(c, preparation.card)
  return preparation
}

/** Refuses a plan that may not be sent; else what its answers are judged by, or null. */
export async function requireSendable(
  c: Call,
  preparation: Preparation,
  known: KnownCredentials,
): Promise<Asked | null> {
  if (!known.has(preparation.registration.credential)) await refuseWithoutSecret(c, preparation.card)
  return requireSameTerms(c, preparation)
}
