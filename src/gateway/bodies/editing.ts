import { armOf } from '../../core/ledger/edit-trial.ts'
import type { CacheRequest } from '../../providers/dialect.ts'
import { shortHash } from '../../providers/prefix/outline.ts'
import { entryModel } from '../../providers/registry.ts'
import type { LearningOrder } from '../../registration/by-use/lesson.ts'
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
  // A signature covers the body.
  if (called.headers.has('x-amz-content-sha256') || /^aws4-/i.test(called.headers.get('authorization') ?? ''))
    return { text: null, why: 'its body is signed' }
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

/** The same for a body in bytes. One that is no UTF-8 goes on as it came. */
export async function editedBytes(
  account: string,
  called: Omit<Called, 'text'>,
  bytes: ArrayBuffer | Uint8Array | null,
  wish: CacheRequest,
  ports: LearnPorts,
): Promise<Edited> {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes ?? new Uint8Array())
  } catch {
    return { text: null, why: 'no marker is to be set' }
  }
  return edited(account, { ...called, text }, wish, await orderOf(account, ports, EDIT_PATIENCE_MS), ports)
}

/** Real time that a call waits for its account before it goes on without an edit. */
const EDIT_PATIENCE_MS = 250
