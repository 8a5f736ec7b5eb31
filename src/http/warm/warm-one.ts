import type { WarmBody } from '../../contract/warm.ts'
import type { Asked } from '../../core/cache/required.ts'
import { registrationOf } from '../../registration/prepare.ts'
import type { Preparation } from '../../registration/prepare.ts'
import type { Registration } from '../../registration/registration.ts'
import { withCredentials } from '../../providers/dialects/shared/credentials.ts'
import { newId } from '../../runtime/ids.ts'
import { retentionAdvice } from '../present/retention-advice.ts'
import { leftToday } from '../server/credential.ts'
import { clockOf, registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import type { KnownCredentials } from '../server/credential.ts'
import { joinBurst } from './burst.ts'
import type { Burst } from './burst.ts'
import { counted, countedAnyway, isOverBudget, uncountedAdvice, withUncounted } from './count.ts'
import type { Counted } from './count.ts'
import { dryRun } from './dry-run.ts'
import { judged } from './judge.ts'
import { planned, requireSendable } from './plan.ts'
import { callAdvice, warmedJson } from './present.ts'
import { isUnpricedAllowed, refuseUnpriced } from './unpriced.ts'

/** Real time. The longest burst keeps a receipt from answering a much later call. */
const LONGEST_BURST_MS = 10_000
const LINGER_MS = 400

/** An answer to a warm, with its status. */
export interface Warmed {
  status: 200 | 202
  json: ReturnType<typeof warmedJson> | Awaited<ReturnType<typeof dryRun>>
}

/**
 * Registers and warms one prefix, as its body asks: plan, then a dry run, or register, follow, judge, present. `known`: the
 * credentials that the body may name; `pool`: the pool that chose the model, and not the caller. Throws the first refusal, and the failure of
 * the call.
 */
export async function warmOne(
  c: Call,
  body: WarmBody,
  known: KnownCredentials,
  pool?: Registration['pool'],
): Promise<Warmed> {
  const bounded = planned(c, body, known)
  if (body.dry_run === true) return { status: 200, json: await dryRun(c, bounded) }
  const word = { given: body.allow_unpriced, waits: body.background !== true && pool === undefined }
  refuseUnpriced(bounded, word)
  const required = await requireSendable(c, bounded, known)
  const send = (ready: Counted) => sent(c, body, ready, { required, unpriced: isUnpricedAllowed(word), pool })
  const first = await counted(c, bounded, body.background === true ? await leftToday(c) : null)
  try {
    return await send(first)
  } catch (thrown) {
    // What the day or the account has left was too little for the bound of its bytes.
    const again = isOverBudget(thrown) && !first.asked ? await countedAnyway(c, bounded) : first
    if (again.preparation === first.preparation) throw withUncounted(thrown, again.uncounted)
    return send(again)
  }
}

/** Registers a prefix, warms it, judges and presents. */
async function sent(
  c: Call,
  body: WarmBody,
  { preparation, uncounted }: Counted,
  { required, unpriced, pool }: { required: Asked | null; unpriced: boolean; pool: Registration['pool'] },
): Promise<Warmed> {
  const clock = clockOf(c)
  const burst = burstOf(c, preparation)
  try {
    const registered = await register(c, preparation, body.background === true, burst, required, unpriced, pool)
    const { view, result } = await judged(c, registered, registered.stored, required)
    const advice = [
      ...uncountedAdvice(uncounted),
      ...callAdvice(view, preparation),
      ...retentionAdvice(view, clock.now(), clock.grainMs),
    ]
    return { status: result.job === null ? 200 : 202, json: warmedJson(view, registered.created, result, advice) }
  } finally {
    burst.leave(clock.now())
  }
}

function burstOf(c: Call, { registration }: Preparation): Burst {
  const { account, askedAt } = c.var
  const { rate } = clockOf(c)
  return joinBurst(`${account} ${registration.fingerprint}`, askedAt, {
    longestMs: LONGEST_BURST_MS * rate,
    lingerMs: LINGER_MS * rate,
  })
}

/** Stores the prefix and begins its warm. `stored`: the body to send; null: the Registry has an earlier one. */
async function register(
  c: Call,
  preparation: Preparation,
  background: boolean,
  { askedAt }: Burst,
  required: Asked | null,
  unpriced: boolean,
  pool: Registration['pool'],
) {
  const how = background ? 'later' : 'now'
  const registration = { ...registrationOf(preparation), ...(pool === undefined ? {} : { pool }) }
  const warmed = await registryOf(c).register(registration, how, newId('job'), askedAt, required, unpriced)
  const { text: bare, breakpoint, cacheKey, credentials = [] } = preparation.prefix
  const text = withCredentials(bare, credentials)
  const { headers = {}, place = null, region } = preparation.registration
  // A known prefix keeps its first body, whose spacing may differ from this one's.
  return {
    ...warmed,
    stored: warmed.created
      ? { text, breakpoint, cacheKey, headers, place, ...(region === undefined ? {} : { region }) }
      : null,
  }
}
