import type { Card } from '../providers/card.ts'
import type { Usage } from '../core/model/usage.ts'
import type { Lease, ManagedCacheLease, Outcome } from './lease.ts'

export type Attributes = Record<string, boolean | number | string | undefined>

/** What a call needs of a span of the platform's tracing. */
export interface Span {
  readonly isTraced: boolean
  setAttributes(attributes: Attributes): unknown
}

/** What a call needs of the platform's tracing (`ctx.tracing` of Workers). */
export interface Tracer {
  enterSpan<Result>(name: string, work: (span: Span) => Result): Result
}

const CHAT = 'chat'

/** A call before it is sent: what its span is called, and what it asks. */
export interface SpanAsked {
  /** Operation of the GenAI conventions, or one of our own where they have none. */
  operation: string
  card: Pick<Card, 'id' | 'spanName'>
  model: string
  /** Attributes of our own, below `pilotlight.`. */
  own: Attributes
}

/**
 * Makes a call inside a span with the GenAI attributes of OpenTelemetry. It names the provider and the model, counts tokens, and tells kinds of
 * failures; a prompt, a key, an account or an id is in no attribute. `read` reads the answer; it is asked only where the span is recorded.
 * Source: github.com/open-telemetry/semantic-conventions-genai (Development), checked 2026-11-30.
 */
export async function inSpan<Sent>(
  tracer: Tracer | undefined,
  { operation, card: { id, spanName = id }, model, own }: SpanAsked,
  send: () => Promise<Sent>,
  read: (sent: Sent) => Attributes,
): Promise<Sent> {
  if (tracer === undefined) return send()
  return tracer.enterSpan(`${operation} ${model}`, async (span) => {
    if (!span.isTraced) return send()
    span.setAttributes({
      'gen_ai.operation.name': operation,
      'gen_ai.provider.name': spanName,
      'gen_ai.request.model': model,
      ...own,
    })
    const sent = await send()
    span.setAttributes(read(sent))
    return sent
  })
}

/** What the span of a warm call says. */
export function warmSpan({ model, purpose, primitive, retention, attempt }: Lease, card: SpanAsked['card']): SpanAsked {
  const own = {
    'pilotlight.warm': true,
    'pilotlight.purpose': purpose,
    'pilotlight.primitive': primitive,
    'pilotlight.retention': retention,
    'pilotlight.attempt': attempt,
  }
  return { operation: CHAT, card, model, own }
}

/** What the span of a bot's call says: no warm, but a request of its own. */
export function botSpan(
  { model, purpose, retention }: { model: string; purpose: 'answer' | 'summary'; retention: string | undefined },
  card: SpanAsked['card'],
): SpanAsked {
  const own = { 'pilotlight.warm': false, 'pilotlight.purpose': purpose, 'pilotlight.retention': retention }
  return { operation: CHAT, card, model, own }
}

/** What the span of a call about a managed cache says. The conventions have no operation for it. */
export function managedCacheSpan(
  { op, model }: Pick<ManagedCacheLease, 'op' | 'model'>,
  card: SpanAsked['card'],
): SpanAsked {
  return { operation: `${op}_cache`, card, model, own: { 'pilotlight.warm': true, 'pilotlight.purpose': op } }
}

/** Attributes of an outcome. */
export function endedSpan(outcome: Outcome): Attributes {
  if (outcome.kind === 'failed') return { 'error.type': outcome.failure.kind }
  return outcome.kind === 'not_sent' ? {} : usageAttributes(outcome.usage, outcome.model)
}

/** Attributes of an answer. A count that the provider does not report is absent, and never 0. */
export function usageAttributes(usage: Usage, model: string | null): Attributes {
  const known = {
    'gen_ai.response.model': model,
    'gen_ai.usage.input_tokens': usage.inputTokens,
    'gen_ai.usage.output_tokens': usage.outputTokens,
    'gen_ai.usage.cache_read.input_tokens': usage.cacheReadTokens,
    'gen_ai.usage.cache_creation.input_tokens': usage.cacheWriteTokens,
  }
  return Object.fromEntries(Object.entries(known).map(([name, value]) => [name, value ?? undefined]))
}
