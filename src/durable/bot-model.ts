import { Failure, failureValue, readFailure } from '../contract/failures.ts'
import type { Overrides } from '../core/overrides.ts'
import { costOf } from '../core/price.ts'
import type { Sight } from '../core/turn.ts'
import type { Usage } from '../core/types.ts'
import { deltasOf, readReply, takesTools, turnRequest } from '../providers/conversation.ts'
import { cardById, dialectOf } from '../providers/registry.ts'
import type { Card, ProbeRequest } from '../providers/types.ts'
import type { Clock } from '../runtime/clock.ts'
import { door } from '../runtime/door.ts'
import { accessTo } from '../runtime/env.ts'
import type { Environment } from '../runtime/env.ts'
import { factsOf } from '../runtime/facts.ts'
import { freshOverrides } from '../runtime/overrides.ts'
import type { BotCalls, CallOutcome } from './bot-calls.ts'
import { toolsOf } from './bot-state.ts'
import type { BotCache, BotConfig } from './bot-state.ts'
import { secretFor } from './credential.ts'

/** What the bot's object lends to its turns. */
export interface BotShell {
  env: Environment
  clock: Clock
  calls: BotCalls
  /** The bot's own id. */
  id: string
  /** Resolves when what was written is on disk. */
  sync(): Promise<void>
  tell(said: Record<string, unknown>): void
}

export interface Asked {
  /** Of this call. */
  id: string
  sight: Sight
  final: boolean
  cache: BotCache | null
  maxOutputTokens: number
  timeoutMs: number
  /** Hears the text as it is written. */
  onText?: (text: string) => void
}

/** A streamed answer has some two hundred bytes around each token. */
const MAX_STREAM_BYTES = 24 * 1024 * 1024
/** A row holds 2 MB, and what is kept of a conversation is one: this, and the longest answer twice, fit into it. */
const MAX_WINDOW_BYTES = 900_000

/** One call to the model, written down before it is sent and when it has ended. */
export async function askModel(shell: BotShell, config: BotConfig, asked: Asked): Promise<CallOutcome> {
  const { clock, calls } = shell
  const end = (outcome: CallOutcome): CallOutcome => {
    calls.end(asked.id, outcome, clock.now())
    return outcome
  }
  let ready: Ready
  try {
    ready = await prepare(shell, config, asked)
  } catch (thrown) {
    const failure = readFailure(thrown) ?? failureValue('internal', 'the call could not be prepared')
    return { kind: 'refused', failure }
  }
  const sentAt = clock.now()
  calls.begin(asked.id, sentAt)
  // On disk before it is sent: an eviction from here on leaves a call without an end.
  await shell.sync()
  const { onText } = asked
  const heard = onText === undefined ? {} : { onText: deltasOf(ready.card, onText) }
  const timeoutMs = Math.max(1, clock.realMs(asked.timeoutMs))
  const sent = await door.send({ ...ready, timeoutMs, maxBytes: MAX_STREAM_BYTES, ...heard })
  if (sent.kind === 'failed') {
    const { failure } = sent
    return end(sent.outcomeKnown ? { kind: 'refused', failure } : { kind: 'failed', failure, billed: null })
  }
  const dialect = dialectOf(ready.card)
  if (sent.status < 200 || sent.status >= 300) {
    return end({ kind: 'refused', failure: dialect.readError(sent.status, sent.headers, sent.text).failure })
  }
  const type = sent.headers.get('content-type') ?? ''
  let usage: Usage | undefined
  let nanos: number | null = null
  try {
    usage = dialect.readAnswer(sent.text, type, sent.headers).usage
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

/** Everything that a call needs and that can refuse it before it is sent. */
async function prepare({ env, clock }: BotShell, config: BotConfig, asked: Asked): Promise<Ready> {
  if (Buffer.byteLength(JSON.stringify(asked.sight.messages)) > MAX_WINDOW_BYTES) {
    const text = `The conversation with this message is larger than ${MAX_WINDOW_BYTES} bytes; send a shorter one.`
    throw new Failure('payload_too_large', text, { limit_bytes: MAX_WINDOW_BYTES })
  }
  await freshOverrides(clock, async () => (await env.DIRECTORY.getByName('directory').overrides()) as Overrides)
  const grants = await env.REGISTRY.getByName(config.account).grantsFor(config.credential.name)
  if (grants === null) throw new Failure('unauthenticated', 'The account is gone.')
  if (grants.killed) throw new Failure('forbidden', 'The kill switch is on.')
  const card = cardById(config.provider)
  if (card === undefined) throw new Failure('unsupported', 'The provider is gone.')
  const access = accessTo(card, env)
  const use = { credential: config.credential.name, credentialGeneration: config.credential.generation }
  const credential = secretFor(use, access, grants.allowedSecrets, grants.credentials, env)
  const request = turnRequest(card, {
    ...asked.sight,
    model: config.model,
    maxOutputTokens: asked.maxOutputTokens,
    cache: asked.cache,
    tools: toolsOf(config, takesTools(card)),
    noTools: asked.final,
    stream: true,
  })
  return { card, baseUrl: access.baseUrl, credential, request }
}
