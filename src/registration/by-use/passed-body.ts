import { accessRefusal } from '../../calls/credential.ts'
import { RawJson } from '../../contract/raw-json.ts'
import type { WarmBody } from '../../contract/warm.ts'
import type { Advice } from '../../core/model/advice.ts'
import { cutAfter } from '../../providers/prefix/blocks.ts'
import type { Block } from '../../providers/prefix/blocks.ts'
import { dialectOf } from '../../providers/registry.ts'
import { placeOf } from '../../runtime/env.ts'
import type { Access, Vars } from '../../runtime/env.ts'
import type { CredentialUse } from '../credential-use.ts'
import { prepareWarm, registrationOf } from '../prepare.ts'
import { DEFAULT_KEEP_WARM } from '../registration.ts'
import type { Registration } from '../registration.ts'
import type { LearningOrder } from './lesson.ts'

/** A body that passes, and how it was sent. */
export interface Passing {
  provider: string
  text: string
  /** The model that its path names; null: its body does. */
  model: string | null
  region: string | null
  /** Headers that decide about its entry; absent: none. */
  headers?: Record<string, string>
  credential: CredentialUse
  /** True: it was sent with a key of the caller's own. */
  isOwnKey: boolean
  /** The block at whose end a candidate ends; null: the prefix ends where `POST /warm` would end it. */
  end: Block | null
  name: string | null
}

/**
 * The registration of a body that passes, as `POST /warm` would make it. Secrets in it refuse it, whatever the account says of lint: nobody chose to
 * store this body. Throws the first `Failure`.
 */
export function passedRegistration(
  { provider, text, model, region, headers, credential, isOwnKey, end, name }: Passing,
  order: Pick<LearningOrder, 'lint' | 'allowedSecrets'>,
  access: Access,
  vars: Vars,
  now: number,
): Registration {
  const body: WarmBody = {
    provider,
    request: new RawJson(end === null ? text : cutAfter(dialectOf(access.card), text, end.place)),
    ...(model === null ? {} : { model }),
    ...(headers === undefined ? {} : { headers }),
    ...(name === null ? {} : { name }),
    ...(end === null || end.place.section < lastSection(access) ? {} : { cache: cacheAt(end) }),
  }
  const preparation = prepareWarm(body, now, {
    credential,
    ...(region === null ? {} : { region }),
    placeOf: (card) => placeOf(card, vars, region ?? undefined),
    lint: order.lint === 'refuse' ? 'refuse' : null,
    aboutSecrets: ABOUT_SECRETS,
  })
  const registration = registrationOf(preparation)
  if (!isOwnKey) return registration
  const refusal = accessRefusal(access, order.allowedSecrets)
  const advice = [...registration.advice, refusal === null ? OWN : NONE]
  // Nothing proves that the deployment's key reads what this call wrote, and a keep-alive that reads nothing pays a write.
  return { ...registration, advice, keepWarm: { ...DEFAULT_KEEP_WARM, plan: 'off' } }
}

/** Turns are the last section of every dialect. */
function lastSection({ card }: Access): number {
  return dialectOf(card).sections.length - 1
}

function cacheAt({ place: { item, part } }: Block): NonNullable<WarmBody['cache']> {
  const point = part === null ? { item_end: item } : { part_end: [item, part] as [number, number] }
  return { mode: 'best_effort', strategy: { explicit: [point] } }
}

/** A call that passes can say nothing of lint. */
const ABOUT_SECRETS =
  'Nothing of this body was stored. Take the secret out of the prompt, or register the body yourself: POST /warm with "lint": "advice".'

const OWN: Advice = {
  cause: 'own_key',
  severity: 'hint',
  message:
    "Nothing is kept warm yet: the call was sent with a key of the caller's own, which is never stored. The deployment's key reads the same entries only within one organization of the provider. If both belong to one, set a plan; else store a credential and send calls with it.",
}
const NONE: Advice = {
  cause: 'no_credential',
  severity: 'hint',
  message:
    "Nothing can be kept warm yet: the call was sent with a key of the caller's own, which is never stored, and this account has none for the provider. Store one (PUT /accounts/{id}/credentials/{name}), send calls with it, and set a plan.",
}
