import { armOf } from '../../core/ledger/edit-trial.ts'
import type { CacheRequest } from '../../providers/dialect.ts'
import { askingBody } from '../../providers/diagnosis/asking.ts'
import { shortHash } from '../../providers/prefix/outline.ts'
import { entryModel } from '../../providers/registry.ts'
import type { LearningOrder } from '../../registration/by-use/lesson.ts'
import { factsOf } from '../../runtime/facts.ts'
import { previousAnswer } from '../diagnosis/in-time.ts'
import { sketchedCall } from '../diagnosis/sketched.ts'
import { Recent } from '../learning/recent.ts'
import { sessionNamed } from '../learning/lesson.ts'
import type { SeenEdit } from '../observation.ts'
import { readCall } from '../seen-ends.ts'
import type { Called } from '../seen-ends.ts'
import { markedBody } from './marked.ts'
import { orderOf } from '../learning/learner.ts'
import type { LearnPorts } from '../learning/learner.ts'

/** What became of the wish of a call. */
export interface Edited {
  /** Its body as it goes on; null: as it came. */
  text: string | null
  /** What the header of the answer says of it. */
  why: string
  /** What it adds to the comparison of calls with edits and without; absent: nothing. */
  edit?: SeenEdit
  /** To be called where the provider refuses the edited body: the next ones go on as they come. */
  refused?: () => void
}

/** Real time without edits here, after a provider refused an edited body. */
const REFUSED_MS = 600_000
const refusals = new Recent<true>(1_000, REFUSED_MS)

/**
 * Sets the markers that a call asks for, unless its session is one of those that are left alone, or edits were found to lower what is read. `order`:
 * of the account; null: it cannot be asked now.
 */
function edited(
  account: string,
  called: Called,
  wish: CacheRequest,
  order: LearningOrder | null,
  { vars, clock }: LearnPorts,
): Edited {
  const now = clock.now()
  const reading = readCall(called, vars, now)
  const text = reading === null ? null : markedBody(reading.card, called, wish, now)
  if (reading === null || text === null) return { text: null, why: 'no marker is to be set' }
  if (isSigned(called.headers)) return { text: null, why: 'its body is signed' }
  if (order === null) return { text: null, why: 'the account could not be asked in time' }
  const { card, outline } = reading
  const model = entryModel(card, outline.model)
  const key = `${account} ${card.id} ${model}`
  if (refusals.get(key, clock.realAt(now)) === true) return { text: null, why: 'the provider refused an edited body' }
  if (order.aside?.includes(`${card.id} ${model}`) === true)
    return { text: null, why: 'edits lowered what is read from the cache' }
  const name = sessionNamed(outline, called.headers)
  const session = Buffer.from(shortHash(order.salt, 'edit', name), 'base64url').readUInt32BE()
  const arm = armOf(session)
  const edit = { arm, model, session }
  if (arm === 'plain') return { text: null, why: 'its session goes without edits, to compare', edit }
  const refused = (): void => refusals.set(key, true, clock.realAt(clock.now()))
  return { text, why: 'a cache marker was set', edit, refused }
}

/** What a call wishes to have changed of its body. */
export interface Wishes {
  /** Null: no marker. */
  cache: CacheRequest | null
  /** The provider is to be asked why the call missed; null: it is not. */
  diagnose: Asker | null
}

/** Makes the changes that a call wishes. A body that is no UTF-8 goes on as it came. */
export async function editedBytes(
  account: string,
  called: Omit<Called, 'text'>,
  bytes: ArrayBuffer | Uint8Array | null,
  { cache, diagnose }: Wishes,
  ports: LearnPorts,
): Promise<Edited> {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes ?? new Uint8Array())
  } catch {
    return { text: null, why: cache === null ? 'its body is no UTF-8' : 'no marker is to be set' }
  }
  const order = await orderOf(account, ports, EDIT_PATIENCE_MS)
  const marked = cache === null ? null : edited(account, { ...called, text }, cache, order, ports)
  if (diagnose === null) return marked ?? { text: null, why: '' }
  const asked = await asking(account, { ...called, text: marked?.text ?? text }, diagnose, order, ports)
  return {
    ...marked,
    text: asked.text ?? marked?.text ?? null,
    why: [...(marked === null ? [] : [marked.why]), asked.why].join('; '),
    refused: () => {
      marked?.refused?.()
      asked.refused?.()
    },
  }
}

/** Has the provider asked for its own diagnostics, where it has some and the call does not ask itself. */
async function asking(
  account: string,
  called: Called,
  { url, isOwnKey }: Asker,
  order: LearningOrder | null,
  ports: LearnPorts,
): Promise<Edited> {
  const { clock, vars } = ports
  const now = clock.now()
  const not = (why: string): Edited => ({ text: null, why: `diagnostics were not asked for: ${why}` })
  const reading = readCall(called, vars, now)
  if (reading === null) return not('it is no body of this provider')
  if (isSigned(called.headers)) return not('its body is signed')
  const { card, outline } = reading
  const key = `${account} ${card.id} ${entryModel(card, outline.model)} diagnose`
  if (refusals.get(key, clock.realAt(now)) === true) return not('the provider refused such a body')
  // Without its account nothing of the conversation is known.
  const facts = order === null ? null : await sketchedCall(account, called, url, isOwnKey, reading, ports)
  const earlier = facts === null ? null : previousAnswer({ account, headers: called.headers, reading, facts }, clock)
  const asked = askingBody(card, called.text, factsOf(card.id, outline.model, now), earlier)
  if ('why' in asked) return not(UNASKED[asked.why])
  const refused = (): void => refusals.set(key, true, clock.realAt(clock.now()))
  return { text: asked.text, why: 'the provider was asked for its diagnostics', refused }
}

const UNASKED = {
  'offers none': 'this provider or model has none',
  'asks itself': 'the call sets them itself',
  'none known': 'no earlier answer of this conversation is known here',
}

/** A signature covers the body. */
function isSigned(headers: Headers): boolean {
  return headers.has('x-amz-content-sha256') || /^aws4-/i.test(headers.get('authorization') ?? '')
}

/** What is needed of a call to find the one before it. */
interface Asker {
  url: string
  isOwnKey: boolean
}

/** Real time that a call waits for its account before it goes on without an edit. */
const EDIT_PATIENCE_MS = 250
