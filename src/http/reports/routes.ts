import { Failure, invalid } from '../../contract/failure.ts'
import { parseWith } from '../../contract/issues.ts'
import { litellmBody, MOST_TOLD, tracesBody } from '../../contract/told.ts'
import { countSpans, spansIn } from '../../usage/spans.ts'
import type { Span } from '../../usage/spans.ts'
import { readLitellmCall } from '../../usage/litellm.ts'
import { isFields } from '../../usage/values.ts'
import { account } from '../server/auth.ts'
import { router } from '../server/context.ts'
import { readExport } from './read-export.ts'
import { report } from './report.ts'
import type { Report, Reported } from './report.ts'

/** What other programs tell of calls that do not pass here. Nothing of their prompts is kept. */
export const reports = router()
  .post('/v1/traces', account, async (c) => {
    const body = parseWith(tracesBody, parsed(await readExport(c)))
    limit(countSpans(body), 'resourceSpans', 'spans')
    const answer = await report(c, 'otel', spansIn(body).map(reportedSpan))
    return c.json({ ...answer, partialSuccess: partialSuccess(answer) })
  })
  .post('/observations/litellm', account, async (c) => {
    const records = recordsIn(await readExport(c))
    limit(records.length, '', 'calls')
    return c.json(await report(c, 'litellm', records.map(reportedCall)))
  })

function limit(count: number, field: string, what: string): void {
  if (count <= MOST_TOLD) return
  const message = `${field === '' ? 'The body' : field}: holds more than ${MOST_TOLD} ${what}.`
  throw new Failure('payload_too_large', message, { field, limit_values: MOST_TOLD })
}

/** The value of a JSON text. The message quotes nothing of it, which may be a prompt. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Failure('invalid_request', 'The body is not valid JSON.', { field: '' })
  }
}

function reportedSpan({ trace, id, parent, told }: Span): Reported {
  if (!('call' in told)) return { told }
  const { input } = told.call.counts
  if (input === null || trace === null) return { told }
  return {
    told,
    asAbove: `above ${trace} ${id} ${input}`,
    ...(parent === null ? {} : { above: `above ${trace} ${parent} ${input}` }),
  }
}

/** Faults of an export. What is left out for what it is was accepted, in the words of OTLP. */
const FAULTS: ReadonlySet<string> = new Set(['no_model', 'no_id', 'too_old', 'bad_time', 'bad_count', 'unreadable'])

/** https://opentelemetry.io/docs/specs/otlp/#partial-success-1, read 2026-12-01: counts are text in JSON. */
function partialSuccess({ not_taken }: Report) {
  const faults = not_taken.filter(({ reason }) => FAULTS.has(reason))
  const rejected = faults.reduce((sum, { count }) => sum + count, 0)
  if (rejected === 0) return {}
  const said = faults.map(({ reason, count, field }) => `${count} ${reason}${field === undefined ? '' : ` (${field})`}`)
  return { rejectedSpans: String(rejected), errorMessage: `Spans that cannot be counted: ${said.join(', ')}.` }
}

/** The records of a log: a list, one object, or one object a line. */
function recordsIn(text: string): unknown[] {
  const whole = attempt(text)
  if (whole !== undefined) {
    const body = parseWith(litellmBody, whole)
    return Array.isArray(body) ? body : [body]
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const records = lines.map(attempt)
  if (!records.some(isFields)) throw invalid('body', 'must be an array of objects, one object, or one object a line')
  return records
}

function attempt(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function reportedCall(record: unknown): Reported {
  return { told: isFields(record) ? readLitellmCall(record) : { leftOut: 'unreadable' } }
}
