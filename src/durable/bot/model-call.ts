import { Failure, failureValue, readFailure } from '../../contract/failure.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import type { Overrides } from '../../core/model/overrides.ts'
import { costOf } from '../../core/model/price.ts'
import type { TurnView } from '../../core/conversation/turn.ts'
import { deltasOf, readReply, takesTools, turnRequest } from '../../providers/conversation.ts'
import { takenDespite, usageDespite } from '../../providers/dialects/shared/errors.ts'
import { dialectOf } from '../../providers/registry.ts'
import { cardById } from '../../runtime/cards.ts'
import type { Card } from '../../providers/card.ts'
import type { Clock } from '../../runtime/clock.ts'
import { sendWith } from '../../calls/access-token.ts'
import { transport } from '../../calls/send.ts'
import { botSpan, inSpan, usageAttributes } from '../../calls/span.ts'
import type { Attributes, Tracer } from '../../calls/span.ts'
import { accessTo } from '../../runtime/env.ts'
import type { Access, Environment } from '../../runtime/env.ts'
import { factsOf } from '../../runtime/facts.ts'
import { killSwitchOf, tellKillSwitch } from '../../runtime/kill-switch.ts'
import { freshOverrides } from '../../runtime/overrides.ts'
import { directoryAt, registryAt } from '../../runtime/objects.ts'
import type { CallOutcome } from './call-outcome.ts'
import { cancelledCall, NEVER_SENT } from './cancelled-call.ts'
import type { BotCallLog } from './tables/calls.ts'
import { checkHandle, withContents } from './contents.ts'
import { callOf } from '../registry/records/bot-call.ts'
import { reserve } from './reservation.ts'
import { toolsOf } from '../registry/records/bot.ts'
import type { BotCache, BotConfig } from '../registry/records/bot.ts'
import { secretFor } from '../../calls/credential.ts'
import { believable, NO_COUNTS } from '../../core/model/usage.ts'
import type { Usage } from '../../core/model/usage.ts'
import type { Dialect, ProbeRequest } from '../../providers/dialect.ts'
import type { Sent } from '../../providers/transport/send.ts'

/** Parts of the bot's object that its turns use. */
export interface BotShell {
  env: Environment
  clock: Clock
  calls: BotCallLog
  /** Id of the bot. */
  id: string
  /** Resolves when all writes are on disk. */
  sync(): Promise<void>
  publish(event: Record<string, unknown>): void
  /** Records each call as a span; absent: none does. */
  tracer?: Tracer
  /** Aborted when a caller gives the turn up: the call under way ends, and no other begins. Absent outside of turns. */
  signal?: AbortSignal
}

export interface Asked {
  /** Id of the call. */
  id: string
  view: TurnView
  final: boolean
  cache: BotCache | null
  maxOutputTokens: number
  timeoutMs: number
  /** Called with each piece of text as it arrives. */
  onText?: (text: string) => void
}

/** A streamed answer has about 200 bytes of framing around each token. */
const MAX_STREAM_BYTES = 24 * 1024 * 1024
/** A conversation is one row of at most 2 MB: this, and the longest answer twice, fit into it. */
const MAX_WINDOW_BYTES = 900_000

/** Makes one call to the model. Stores it before it is sent and when it has ended. */
export async function askModel(shell: BotShell, config: BotConfig, asked: Asked): Promise<CallOutcome> {
  const { clock, calls, signal } = shell
  const isGivenUp = (): boolean => signal?.aborted === true
  let sentAt = clock.now()
  const end = async (outcome: CallOutcome): Promise<CallOutcome> => {
    calls.end(asked.id, outcome, clock.now())
    await book(shell, config, asked.id, outcome, sentAt)
    return outcome
  }
  /** Nothing left: nothing is booked, and what an attempt before this one reserved is released. */
  const neverSent = async (): Promise<CallOutcome> => {
    await book(shell, config, asked.id, NEVER_SENT)
    return NEVER_SENT
  }
  if (isGivenUp()) return neverSent()
  let ready: Ready | null
  try {
    ready = await prepare(shell, config, asked, isGivenUp)
  } catch (thrown) {
    const failure = readFailure(thrown) ?? failureValue('internal', 'the call could not be prepared')
    const outcome: CallOutcome = { kind: 'refused', failure }
    await book(shell, config, asked.id, outcome) // releases a reservation
    return outcome
  }
  if (ready === null || isGivenUp()) return neverSent()
  const { card, facts } = ready
  sentAt = clock.now()
  calls.begin(asked.id, sentAt, ready.worstNanos)
  // Stored on disk before it is sent: an eviction from here on leaves a call without an end.
  await shell.sync()
  if (isGivenUp()) return end(NEVER_SENT)
  // The facts of the reservation: a price that is changed while the call is in flight is that of later calls.
  const retention = asked.cache?.retention ?? facts.retentions[0]?.name ?? ''
  const readDeltas = asked.onText === undefined ? () => {} : deltasOf(card, asked.onText)
  let beginning = ''
  const onText = (piece: string): void => {
    beginning += piece
    readDeltas(piece)
  }
  const { access, credential, request } = ready
  const stop = signal === undefined ? {} : { signal }
  const dialect = dialectOf(card)
  const spanned = { model: config.model, purpose: callOf(asked.id).purpose, retention: asked.cache?.retention }
  // A turn goes on where the Directory does not answer, and ends where the switch is known to be on.
  const held = async (): Promise<string | null> =>
    (await killSwitchOf(shell.env, clock))?.on === true ? 'The kill switch is on.' : null
  const sending = { access, credential, clock, timeoutMs: asked.timeoutMs, held }
  const result = await sendWith(sending, (presented, timeoutMs) => {
    const { baseUrl } = access
    const call = { card, baseUrl, credential: presented, request, timeoutMs, maxBytes: MAX_STREAM_BYTES, onText }
    const ended = (answer: Sent) => spanOf(answer, dialect)
    return inSpan(shell.tracer, botSpan(spanned, card), () => transport.send({ ...call, ...stop }), ended)
  })
  if (result.kind !== 'sent') {
    if (isGivenUp()) return end(NEVER_SENT)
    if (result.kind === 'held') return end({ kind: 'refused', failure: failureValue('forbidden', result.why) })
    const late = failureValue('provider_timeout', 'The access token arrived too late.')
    return end({ kind: 'refused', failure: result.kind === 'no_token' ? result.failure : late })
  }
  const { sent } = result
  if (sent.kind === 'failed' && isGivenUp()) {
    if (sent.outcomeKnown) return end(NEVER_SENT)
    return end(cancelledCall(card, { facts, maxOutputTokens: asked.maxOutputTokens, retention }, beginning))
  }
  if (sent.kind === 'failed') {
    const { failure } = sent
    return end(sent.outcomeKnown ? { kind: 'refused', failure } : { kind: 'failed', failure, billed: null })
  }
  if (sent.status < 200 || sent.status >= 300) {
    const { failure } = dialect.readError(sent.status, sent.headers, sent.text)
    if (config.contents !== undefined && failure.detail?.['handle_gone'] === true) {
      await checkHandle(shell, config)
      return end({ kind: 'refused', failure: failureValue('provider_unavailable', 'The handle was gone.') })
    }
    const counted = usageDespite(sent.text)
    if (counted !== null) {
      const told = believable(dialect.readUsage(counted) ?? NO_COUNTS, facts.contextTokens)
      const cost = costOf(told, facts.price, retention)
      return end({ kind: 'failed', failure, billed: true, usage: told, nanos: cost })
    }
    if (takenDespite(sent.status, sent.headers, sent.text) === null)
      return end({ kind: 'failed', failure, billed: null })
    return end({ kind: 'refused', failure })
  }
  const type = sent.headers.get('content-type') ?? ''
  let usage: Usage | undefined
  let nanos: number | null = null
  try {
    usage = believable(dialect.readAnswer(sent.text, type, sent.headers).usage, facts.contextTokens)
    nanos = costOf(usage, facts.price, retention)
    const { text, complete, toolCalls, native } = readReply(card, sent.text, type)
    const called = toolCalls.length === 0 ? {} : { toolCalls, native }
    return end({ kind: 'answered', text, complete, ...called, usage, nanos })
  } catch (thrown) {
    const failure = readFailure(thrown) ?? failureValue('unreadable_answer', 'the answer could not be read')
    return end({ kind: 'failed', failure, billed: true, nanos, ...(usage === undefined ? {} : { usage }) })
  }
}

/** Attributes of an answer, for its span. */
function spanOf(sent: Sent, dialect: Dialect): Attributes {
  if (sent.kind === 'failed') return { 'error.type': sent.failure.kind }
  if (sent.status < 200 || sent.status >= 300) {
    return { 'error.type': dialect.readError(sent.status, sent.headers, sent.text).failure.kind }
  }
  try {
    const { usage, model } = dialect.readAnswer(sent.text, sent.headers.get('content-type') ?? '', sent.headers)
    return usageAttributes(usage, model)
  } catch {
    return { 'error.type': 'unreadable_answer' }
  }
}

interface Ready {
  card: Card
  access: Access
  credential: string
  request: ProbeRequest
  facts: ModelFacts
  /** Most that the call may cost, as it was reserved; null: no price is known. */
  worstNanos: number | null
}

/** Prepares a call. Throws every failure that is possible before it is sent. Null: it was given up meanwhile. */
async function prepare(
  shell: BotShell,
  config: BotConfig,
  asked: Asked,
  isGivenUp: () => boolean,
): Promise<Ready | null> {
  const { env, clock, publish } = shell
  if (Buffer.byteLength(JSON.stringify(asked.view.messages)) > MAX_WINDOW_BYTES) {
    const text = `The conversation with this message is larger than ${MAX_WINDOW_BYTES} bytes. Send a shorter message.`
    throw new Failure('payload_too_large', text, { limit_bytes: MAX_WINDOW_BYTES })
  }
  await freshOverrides(clock, async () => (await directoryAt(env).overrides()) as Overrides)
  const card = cardById(config.provider)
  if (card === undefined) throw new Failure('unsupported', 'The provider is no longer supported.')
  const [unmet] = asked.cache?.mode === 'required' ? asked.view.unmet : []
  if (unmet !== undefined) {
    const text = `${unmet.at}: ${unmet.why} The cache was required, so nothing was sent.`
    throw new Failure('cache_not_honoured', text, { field: unmet.at, cause: unmet.cause })
  }
  const bare = turnRequest(card, {
    ...asked.view,
    ...(config.contents === undefined ? {} : { volatileText: withoutTools(asked) }),
    model: config.model,
    maxOutputTokens: asked.maxOutputTokens,
    cache: asked.cache,
    tools: config.contents === undefined ? toolsOf(config, takesTools(card)) : [],
    noTools: asked.final,
    stream: true,
  })
  if (isGivenUp()) return null
  const { body, tokens, inlined } = await withContents(shell, config, card, bare.body, asked.cache !== null)
  if (isGivenUp()) return null
  const request = { ...bare, body }
  if (inlined !== null && asked.cache !== null) {
    const at = new Date(clock.now()).toISOString()
    publish({ type: 'handle_missing', turn_id: callOf(asked.id).turn, at, why: inlined })
  }
  const facts = factsOf(config.provider, config.model, clock.now())
  if (facts.price === null && config.allowUnpriced === false) {
    const why = 'no price is known for this model any more, and the bot was created without allow_unpriced'
    throw new Failure('forbidden', `The model was not called: ${why}.`)
  }
  await tellKillSwitch(env, clock, config.account)
  // The handle in the body stands for contents whose tokens are known otherwise.
  const limited = { ...asked, card, facts, request: tokens === 0 ? request : bare, besideTokens: tokens }
  const { grants, worstNanos } = await reserve(shell, config, limited)
  const access = accessTo(card, env, config.region)
  const use = { credential: config.credential.name, credentialGeneration: config.credential.generation }
  const credential = secretFor(use, access, grants.allowedSecrets, grants.credentials, env)
  return { card, access, credential, request, facts, worstNanos }
}

/** What stands behind everything cached. Beside a handle, tools can be forbidden in words alone. */
function withoutTools({ final, view: { volatileText } }: Asked): string | null {
  return final
    ? [volatileText, 'Call no tool any more. Answer now.'].filter((text) => text !== null).join('\n')
    : volatileText
}

/** Books the end of a call in the account's ledger. A failure to do so is only logged: the ledger then charges the worst case. */
export async function book(
  { env, id: bot }: BotShell,
  config: BotConfig,
  call: string,
  outcome: CallOutcome,
  sentAt?: number,
): Promise<void> {
  const { costNanos, why } = bookOf(outcome)
  const how = outcome.kind === 'failed' && outcome.billed === null ? 'unknown' : outcome.kind
  try {
    const at = sentAt === undefined ? {} : { sentAt }
    await registryAt(env, config.account).endBotCall({ bot, call, outcome: how, costNanos, why, ...at })
  } catch {
    console.warn("the cost of a bot's call could not be recorded; the call is charged at its worst case")
  }
}

function bookOf(outcome: CallOutcome): { costNanos: number | null; why: string } {
  if (outcome.kind === 'answered') return { costNanos: outcome.nanos, why: 'answered' }
  const { kind } = outcome.failure
  const costNanos = outcome.kind === 'refused' ? 0 : (outcome.nanos ?? null)
  const isLongest = kind === 'cancelled' && outcome.kind === 'failed' && costNanos !== null
  return { costNanos, why: isLongest ? 'cancelled; charged for its stated input and the longest answer' : kind }
}
