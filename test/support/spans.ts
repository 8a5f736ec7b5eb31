import type { Tracer } from '../../src/calls/span.ts'

export interface RecordedSpan {
  name: string
  attributes: Record<string, unknown>
}

/** Stands for the platform's tracing, and keeps its spans. `isTraced` false: the request is not in the sample. */
export function spanRecorder(isTraced = true): { tracer: Tracer; spans: RecordedSpan[] } {
  const spans: RecordedSpan[] = []
  const tracer: Tracer = {
    enterSpan(name, work) {
      const span: RecordedSpan = { name, attributes: {} }
      spans.push(span)
      return work({
        isTraced,
        setAttributes(attributes) {
          for (const [key, value] of Object.entries(attributes)) if (value !== undefined) span.attributes[key] = value
        },
      })
    },
  }
  return { tracer, spans }
}
