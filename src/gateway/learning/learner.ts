import { Failure, invalid, readFailure } from '../../contract/failure.ts'
import { member, readJson } from '../../core/prompt/json-text.ts'
import type { Block } from '../../providers/prefix/blocks.ts'
import { shortHash } from '../../providers/prefix/outline.ts'
import { passedRegistration } from '../../registration/by-use/passed-body.ts'
import type { LearningOrder, PassedBody, RefusedByUse, RegisteredByUse } from '../../registration/by-use/lesson.ts'
import type { Lookup } from '../../registration/lookup.ts'
import { accessTo } from '../../runtime/env.ts'
import type { Vars } from '../../runtime/env.ts'
import type { Clock } from '../../runtime/clock.ts'
import { candidateId, sha256 } from '../../runtime/ids.ts'
import type { SeenLesson } from '../observation.ts'
import { forbidsLearning, labelIn, NAME } from '../request/own-headers.ts'
import { SUBSCRIPTION } from '../seen-ends.ts'
import type { Called, Reading } from '../seen-ends.ts'
import { lessonOf } from './lesson.ts'
import { Recent } from './recent.ts'

/** Real time for which an isolate takes what an account wishes without asking again. */
const ORDER_MS = 10_000
/** Real time that a call waits for the account. After it nothing is learned from the call. */
const PATIENCE_MS = 2_000
/** Real time in which a body that comes again is the same call, sent again. */
const REPEATED_MS = 60_000
/** Real time for which an isolate takes a prefix for registered without asking again, and does not repeat a refusal. */
const KNOWN_MS = 600_000
const MOST_KNOWN = 5_000

/** What learning needs of the account. */
export interface LearnPorts {
  vars: Vars
  clock: Clock
  learningOrder: (account: string) => Promise<LearningOrder | null>
  registerByUse: (account: string, given: PassedBody) => Promise<RegisteredByUse | null>
  refuseByUse: (account: string, refused: RefusedByUse) => Promise<unknown>
}

/** What is to be learned from a call once it is answered. */
export interface Plan {
  lesson: SeenLesson | null
  /** Its prefix is registered with it; null: nothing is. */
  register: Omit<PassedBody, 'arrival'> | null
}

const NOTHING: Plan = { lesson: null, register: null }

const orders = new Recent<LearningOrder | null>(MOST_KNOWN, ORDER_MS)
const bodies = new Recent<true>(MOST_KNOWN, REPEATED_MS)
const refusals = new Recent<true>(MOST_KNOWN, KNOWN_MS)
const known = new Recent<{ id: string; name: string | null }>(MOST_KNOWN, KNOWN_MS)
/** Accounts of which prefixes are known here. */
const accounts = new Recent<true>(MOST_KNOWN, KNOWN_MS)
const beingRegistered = new Set<string>()

/** Whether prefixes of an account are known here, so that it is worth reading a body early. */
export function knowsPrefixesOf(account: string, { clock }: Pick<LearnPorts, 'clock'>): boolean {
  return accounts.get(account, clock.realAt(clock.now())) === true
}

/** Notes that an account has prefixes. */
export function knowsPrefixes(account: string, clock: Clock): void {
  accounts.set(account, true, clock.realAt(clock.now()))
}

/** The registered prefix that a body begins with, where this isolate knows it. */
export function knownPrefix(
  account: string,
  entries: readonly Lookup[],
  ports: Pick<LearnPorts, 'clock'>,
): string | null {
  return knownEntry(account, entries, null, ports.clock)?.id ?? null
}

function knownEntry(account: string, entries: readonly Lookup[], name: string | null, clock: Clock) {
  const now = clock.realAt(clock.now())
  return entries
    .map((entry) => known.get(`${account} ${entry}`, now))
    .find((one) => one !== undefined && (name === null || one.name === name))
}

/**
 * Decides what is learned from a call, and prepares the registration of its prefix while its body is here. Never from what is no demand of its own, or
 * can never be warmed: what was sent again, what asks for no output, tokens of subscriptions.
 */
export async function planned(
  account: string,
  called: Called,
  isOwnKey: boolean,
  reading: Reading,
  ports: LearnPorts,
): Promise<Plan> {
  const { headers, text, credential } = called
  if (forbidsLearning(headers) || credential === SUBSCRIPTION || isRepeated(account, called, ports.clock))
    return NOTHING
  const order = await orderOf(account, ports)
  if (order === null || order.learn === 'off' || asksForNothing(text)) return NOTHING
  const { fault } = labelIn(headers)
  if (fault !== null)
    await refused(account, called.provider, null, invalid(NAME, `is ignored, because ${fault}`), ports)
  const lesson = lessonOf(reading, headers)
  const wish = wishOf(account, called, reading, order, ports)
  if (wish === null) return { lesson, register: null }
  const { card, body } = reading
  const { provider, region, model } = called
  try {
    const registration = passedRegistration(
      {
        provider,
        text,
        model,
        region,
        ...(reading.headers === undefined ? {} : { headers: reading.headers }),
        credential,
        isOwnKey,
        end: wish.end,
        name: wish.name,
      },
      order,
      accessTo(card, ports.vars, region ?? undefined),
      ports.vars,
      ports.clock.now(),
    )
    if (wish.entry !== null && registration.lookups?.[0] !== wish.entry)
      throw new Failure('unsupported', 'No prefix of this body can end where the candidate does.')
    const entries = body.ends.map(({ entry }) => entry)
    return { lesson, register: { registration, entries, candidate: wish.candidate } }
  } catch (thrown) {
    await refused(account, provider, wish.name, thrown, ports)
    return { lesson, register: null }
  }
}

/** Registers the prefix of a call that was answered. False: the call is to be counted like any other. */
export async function registered(account: string, given: PassedBody, ports: LearnPorts): Promise<boolean> {
  const { name, fingerprint, provider } = given.registration
  const key = `${account} ${name ?? ''} ${fingerprint}`
  if (beingRegistered.has(key)) return false
  beingRegistered.add(key)
  try {
    const done = await ports.registerByUse(account, given)
    if (given.candidate !== null) orders.delete(account)
    if (done === null) return false
    const now = ports.clock.realAt(ports.clock.now())
    if (done.entry !== null) known.set(`${account} ${done.entry}`, { id: done.id, name }, now)
    knowsPrefixes(account, ports.clock)
    return done.booked
  } catch (thrown) {
    await refused(account, provider, name, thrown, ports)
    return false
  } finally {
    beingRegistered.delete(key)
  }
}

interface Wish {
  name: string | null
  candidate: string | null
  /** Where the candidate ends, and its lookup; null: the prefix ends where `POST /warm` would end it. */
  end: Block | null
  entry: Lookup | null
}

/** What is to be registered of a body; null: nothing. */
function wishOf(
  account: string,
  { headers }: Called,
  { body, outline, entryAt }: Reading,
  order: LearningOrder,
  { clock }: LearnPorts,
): Wish | null {
  const { name } = labelIn(headers)
  if (name !== null || order.learn === 'register') {
    const entries = body.ends.map(({ entry }) => entry)
    return knownEntry(account, entries, name, clock) === undefined
      ? { name, candidate: null, end: null, entry: null }
      : null
  }
  if (order.wanted.length === 0) return null
  const wanted = new Map(order.wanted.map((one) => [one.id, one]))
  for (const [index, block] of [...outline.blocks.entries()].toReversed()) {
    const entry = entryAt(index)
    const found = wanted.get(candidateId(entry, order.salt))
    if (found !== undefined) return { name: found.name, candidate: found.id, end: block, entry }
  }
  return null
}

function isRepeated(account: string, { headers, text }: Called, clock: Clock): boolean {
  if (Number(headers.get('x-stainless-retry-count') ?? '0') > 0) return true
  const now = clock.realAt(clock.now())
  const key = headers.get('idempotency-key')
  const all = [shortHash(account, text), ...(key === null ? [] : [shortHash(account, 'key', key)])]
  const repeated = all.some((one) => bodies.get(one, now) === true)
  for (const one of all) bodies.set(one, true, now)
  return repeated
}

/** Whether a body asks for no answer, as one does that only fills a cache. */
function asksForNothing(text: string): boolean {
  const node = member(readJson(text, 'request'), 'max_tokens')
  return node?.type === 'number' && Number(text.slice(node.start, node.end)) === 0
}

/** What the account wishes; null: there is none, or it does not answer within `patienceMs` of real time. */
export async function orderOf(
  account: string,
  { clock, learningOrder }: LearnPorts,
  patienceMs = PATIENCE_MS,
): Promise<LearningOrder | null> {
  const before = orders.get(account, clock.realAt(clock.now()))
  if (before !== undefined) return before
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), patienceMs)
  })
  const asked = learningOrder(account).then(
    (order) => {
      orders.set(account, order, clock.realAt(clock.now()))
      return order
    },
    () => null, // an account that cannot be asked teaches nothing now
  )
  try {
    return await Promise.race([asked, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Tells the account why nothing was registered, once for each reason. */
async function refused(
  account: string,
  provider: string,
  name: string | null,
  thrown: unknown,
  { clock, refuseByUse }: LearnPorts,
): Promise<void> {
  const failure = readFailure(thrown)
  if (failure === null) {
    console.error('learning from a call failed', thrown instanceof Error ? thrown.name : 'unknown')
    return
  }
  const field = typeof failure.detail?.['field'] === 'string' ? failure.detail['field'] : null
  const real = clock.realAt(clock.now())
  const key = sha256(JSON.stringify([account, provider, name, failure.kind, field]))
  if (refusals.get(key, real) === true) return
  refusals.set(key, true, real)
  const { kind, message } = failure
  await refuseByUse(account, { at: clock.now(), provider, name, kind, field, message }).catch(() => {})
}
