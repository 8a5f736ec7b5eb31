import { Failure, failureValue, readFailure } from '../../contract/failure.ts'
import type { Overrides } from '../../core/model/overrides.ts'
import { costOf, ratesFor } from '../../core/model/price.ts'
import type { TurnView } from '../../core/conversation/turn.ts'
import { deltasOf, readReply, takesTools, turnRequest } from '../../providers/conversation.ts'
import { takenDespite } from '../../providers/dialects/shared/errors.ts'
import { dialectOf } from '../../providers/registry.ts'
import { cardById } from '../../runtime/cards.ts'
import type { Card } from '../../providers/card.ts'
import type { Clock } from '../../runtime/clock.ts'
import { transport } from '../../calls/send.ts'
import { accessTo } from '../../runtime/env.ts'
import type { Environment } from '../../runtime/env.ts'
import { factsOf } from '../../runtime/facts.ts'
import { tellKillSwitch } from '../../runtime/kill-switch.ts'
import { freshOverrides } from '../../runtime/overrides.ts'
import type { CallOutcome } from './call-outcome.ts'
import { cancelledCall, NEVER_SENT } from './cancelled-call.ts'
import type { BotCallLog } from './tables/calls.ts'
import { checkHandle, withContents } from './contents.ts'
import { callOf } from '../registry/records/bot-call.ts'
import { toolsOf } from './state.ts'
import type { BotCache, BotConfig } from '../registry/records/bot.ts'
import { secretFor } from '../../calls/credential.ts'
import { believable } from '../../core/model/usage.ts'
import type { Usage } from '../../core/model/usage.ts'
import type { ProbeRequest } from '../../providers/dialect.ts'
import { directoryAt, registryAt } from '../../runtime/objects.ts'

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
  const end = async (outcome: CallOutcome): Promise<CallOutcome> => {
    calls.end(asked.id, outcome, clock.now())
    await book(shell, config, asked.id, outcome)
    return outcome
  }
  let ready: Ready
  try {
    ready = await prepare(shell, config, asked)
  } catch (thrown) {
    const failure = readFailure(thrown) ?? failureValue('internal', 'the call could not be prepared')
    const outcome: CallOutcome = { kind: 'refused', failure }
    await book(shell, config, asked.id, outcome) // releases a reservation
    return outcome
  }
  if (isGivenUp()) {
    await book(shell, config, asked.id, NEVER_SENT)
    return NEVER_SENT
  }
  const sentAt = clock.now()
  calls.begin(asked.id, sentAt)
  // Stored on disk before it is sent: an eviction from here on leaves a call without an end.
  await shell.sync()
  const readDeltas = asked.onText === undefined ? () => {} : deltasOf(ready.card, asked.onText)
  let beginning = ''
  const onText = (piece: string): void => {
    beginning += piece
    readDeltas(piece)
  }
  const timeoutMs = Math.max(1, clock.realMs(asked.timeoutMs))
  const stop = signal === undefined ? {} : { signal }
  const sent = await transport.send({ ...ready, timeoutMs, maxBytes: MAX_STREAM_BYTES, onText, ...stop })
  if (sent.kind === 'failed' && isGivenUp()) {
    const { provider, model } = config
    const called = {
      provider,
      model,
      maxOutputTokens: asked.maxOutputTokens,
      retention: asked.cache?.retention,
      sentAt,
    }
    return end(cancelledCall(ready.card, called, beginning))
  }
  if (sent.kind === 'failed') {
    const { failure } = sent
    return end(sent.outcomeKnown ? { kind: 'refused', failure } : { kind: 'failed', failure, billed: null })
  }
  const dialect = dialectOf(ready.card)
  if (sent.status < 200 || sent.status >= 300) {
    const { failure } = dialect.readError(sent.status, sent.headers, sent.text)
    if (config.contents !== undefined && failure.detail?.['handle_gone'] === true) {
      await checkHandle(shell, config)
      return end({ kind: 'refused', failure: failureValue('provider_unavailable', 'The handle was gone.') })
    }
    if (takenDespite(sent.status) === null) return end({ kind: 'failed', failure, billed: null })
    return end({ kind: 'refused', failure })
  }
  const type = sent.headers.get('content-type') ?? ''
  let usage: Usage | undefined
  let nanos: number | null = null
  try {
    usage = believable(dialect.readAnswer(sent.text, type, sent.headers).usage)
    const { price, retentions } = factsOf(config.provider, config.model, sentAt)
    nanos = costOf(usage, price, asked.cache?.retention ?? retentions[0]?.name ?? '')
    const { text, complete, toolCalls, native } = readReply(ready.card, sent.text, type)
    const called = toolCalls.length === 0 ? {} : { toolCalls, native }
    return end({ kind: 'answered', text, complete, ...called, usage, nanos })
  } catch (thrown) {
    const failure = readFailure(thrown) ?? failureValue('unreadable_answer', 'the answer could not be read')
    return end({ kind: 'failed', failure, billed: true, nanos, ...(usage === undefined ? {} : { usage }) })
  }
}

interface Ready {
  card: Card
  baseUrl: string
  credential: string
  request: ProbeRequest
}

/** Prepares a call. Throws every failure that is possible before it is sent. */
async function prepare(shell: BotShell, config: BotConfig, asked: Asked): Promise<Ready> {
  const { env, clock, id, publish } = shell
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
  const { body, tokens, inlined } = await withContents(shell, config, card, bare.body, asked.cache !== null)
  const request = { ...bare, body }
  if (inlined !== null && asked.cache !== null) {
    const at = new Date(clock.now()).toISOString()
    publish({ type: 'handle_missing', turn_id: callOf(asked.id).turn, at, why: inlined })
  }
  const worst = worstNanos(config, asked, body, tokens, clock.now())
  if (worst === null && config.allowUnpriced === false) {
    const why = 'no price is known for this model any more, and the bot was created without allow_unpriced'
    throw new Failure('forbidden', `The model was not called: ${why}.`)
  }
  await tellKillSwitch(env, clock, config.account)
  const begun = { bot: id, call: asked.id, worstNanos: worst }
  const grants = await registryAt(env, config.account).beginBotCall(begun, config.credential.name)
  if (grants === null) throw new Failure('unauthenticated', 'The account was deleted.')
  if (grants.killed) throw new Failure('forbidden', 'The kill switch is on.')
  if (grants.refused !== null) throw new Failure('budget_exhausted', `The model was not called: ${grants.refused}.`)
  const access = accessTo(card, env)
  const use = { credential: config.credential.name, credentialGeneration: config.credential.generation }
  const credential = secretFor(use, access, grants.allowedSecrets, grants.credentials, env)
  return { card, baseUrl: access.baseUrl, credential, request }
}

/** What stands behind everything cached. Beside a handle, tools can be forbidden in words alone. */
function withoutTools({ final, view: { volatileText } }: Asked): string | null {
  return final
    ? [volatileText, 'Call no tool any more. Answer now.'].filter((text) => text !== null).join('\n')
    : volatileText
}

/** Most that a call can cost in nano-dollars: one token for every two bytes, all written, and the longest answer. Null: no price. */
function worstNanos(
  config: BotConfig,
  { cache, maxOutputTokens }: Asked,
  body: string,
  contentTokens: number,
  now: number,
): number | null {
  const { price } = factsOf(config.provider, config.model, now)
  if (price === null) return null
  const tokens = Math.ceil(Buffer.byteLength(body) / 2) + contentTokens
  const rates = ratesFor(price, tokens)
  const write = cache === null ? 0 : (rates.cacheWriteNanosPerMTok[cache.retention] ?? 0)
  const perMTok = Math.max(write, rates.inputNanosPerMTok)
  return Math.ceil((tokens * perMTok + maxOutputTokens * rates.outputNanosPerMTok) / 1_000_000)
}

/** Books the end of a call in the account's ledger. A failure to do so is only logged: the ledger then charges the worst case. */
async function book({ env, id: bot }: BotShell, config: BotConfig, call: string, outcome: CallOutcome): Promise<void> {
  const { costNanos, why } = bookOf(outcome)
  const how = outcome.kind === 'failed' && outcome.billed === null ? 'unknown' : outcome.kind
  try {
    await registryAt(env, config.account).endBotCall({ bot, call, outcome: how, costNanos, why })
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
