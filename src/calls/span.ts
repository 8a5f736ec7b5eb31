import type { Card } from '../providers/card.ts'
import type { Lease, Outcome } from './lease.ts'

type Attributes = Record<string, boolean | number | string | undefined>

/** What a call needs of a span of the platform's tracing. */
export interface Span {
  readonly isTraced: boolean
  setAttributes(attributes: Attributes): unknown
}

/** What a call needs of the platform's tracing (`ctx.tracing` of Workers). */
export interface Tracer {
  enterSpan<Result>(name: string, work: (span: Span) => Result): Result
}

const OPERATION = 'chat'

/**
 * Makes a call inside a span with the GenAI attributes of OpenTelemetry. It names the provider and the model, counts tokens, and tells kinds of
 * failures; a prompt, a key, an account or an id is in no attribute. `outcomeOf` reads the answer; it is asked only where the span is recorded.
 * Source: github.com/open-telemetry/semantic-conventions-genai (Development), checked 2026-11-30.
 */
export async function inSpan<Sent>(
  tracer: Tracer | undefined,
  lease: Lease,
  card: Pick<Card, 'id' | 'spanName'>,
  send: () => Promise<Sent>,
  outcomeOf: (sent: Sent) => Outcome,
): Promise<Sent> {
  if (tracer === undefined) return send()
  return tracer.enterSpan(`${OPERATION} ${lease.model}`, async (span) => {
    const sent = await (span.isTraced ? begun(span, lease, card, send) : send())
    if (span.isTraced) span.setAttributes(ended(outcomeOf(sent)))
    return sent
  })
}

function begun<Sent>(
  span: Span,
  { model, purpose, primitive, retention, attempt }: Lease,
  { id, spanName = id }: Pick<Card, 'id' | 'spanName'>,
  send: () => Promise<Sent>,
): Promise<Sent> {
  span.setAttributes({
    'gen_ai.operation.name': OPERATION,
    'gen_ai.provider.name': spanName,
    'gen_ai.request.model': model,
    'pilotlight.warm': true,
    'pilotlight.purpose': purpose,
    'pilotlight.primitive': primitive,
    'pilotlight.retention': retention,
    'pilotlight.attempt': attempt,
  })
  return send()
}

/** Attributes of an outcome. A count that the provider does not report is absent, and never 0. */
function ended(outcome: Outcome): Attributes {
  if (outcome.kind === 'failed') return { 'error.type': outcome.failure.kind }
  if (outcome.kind === 'not_sent') return {}
  const { usage, model } = outcome
  const known = {
    'gen_ai.response.model': model,
    'gen_ai.usage.input_tokens': usage.inputTokens,
    'gen_ai.usage.output_tokens': usage.outputTokens,
    'gen_ai.usage.cache_read.input_tokens': usage.cacheReadTokens,
    'gen_ai.usage.cache_creation.input_tokens': usage.cacheWriteTokens,
  }
  return Object.fromEntries(Object.entries(known).map(([name, value]) => [name, value ?? undefined]))
}
