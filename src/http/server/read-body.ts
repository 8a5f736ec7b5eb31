import type * as z from 'zod'
import { Failure, invalid } from '../../contract/failure.ts'
import { parseWith } from '../../contract/issues.ts'
import type { Call } from './context.ts'
import { tooLargeFailure, parseBody } from '../../registration/json-body.ts'
import type { RawPath } from '../../registration/json-body.ts'

export const MAX_REQUEST_BYTES = 8 * 1024 * 1024
/** Bytes read of a body that is too large: its sender gets an answer instead of a broken connection. */
const DRAIN_BYTES = 64 * 1024 * 1024
/** Real time for which a sender may stall. */
const BODY_TIMEOUT_MS = 60_000

/** The body's text, read once and bounded in size and time. Throws `payload_too_large` or `invalid_request`. */
export function bodyText(c: Call): Promise<string> {
  const known = c.var.body
  if (known !== undefined) return known
  const text = read(c.req.raw)
  c.set('body', text)
  return text
}

async function read(request: Request): Promise<string> {
  checkHeaders(request.headers)
  return decoded(await readBytes(request))
}

/** The text of bytes. Throws `invalid_request` where they are not UTF-8. */
export function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
  } catch {
    throw new Failure('invalid_request', 'The body is not valid UTF-8.', { field: '' })
  }
}

function checkHeaders(headers: Headers): void {
  const type = (headers.get('content-type') ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? ''
  if (type !== '' && !/^(application|text)\/([\w.-]+\+)?json$/.test(type)) {
    throw invalid('content-type', 'must be application/json')
  }
  const encoding = headers.get('content-encoding')
  if (encoding !== null && encoding.toLowerCase() !== 'identity') {
    throw invalid('content-encoding', 'a compressed body is not accepted')
  }
}

/** The bytes of a body, bounded in size and time. */
export async function readBytes(request: Request): Promise<Uint8Array> {
  let tooLarge = Number(request.headers.get('content-length') ?? '0') > MAX_REQUEST_BYTES
  if (request.body === null) return new Uint8Array()
  const reader = request.body.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), BODY_TIMEOUT_MS)
  })
  try {
    for (;;) {
      const next = await Promise.race([reader.read(), late])
      if (next === 'late') throw new Failure('invalid_request', 'The body did not arrive in time.', { field: '' })
      if (next.done) break
      size += next.value.byteLength
      if (size > MAX_REQUEST_BYTES) {
        tooLarge = true
        chunks.length = 0
      }
      if (!tooLarge) chunks.push(next.value)
      else if (size > DRAIN_BYTES) break
    }
  } catch (thrown) {
    if (thrown instanceof Failure) throw thrown
    throw new Failure('invalid_request', 'The body was cut off.', { field: '' })
  } finally {
    clearTimeout(timer)
    reader.cancel().catch(() => {}) // it has ended already, or is no longer needed
  }
  if (tooLarge) throw tooLargeFailure('The body', MAX_REQUEST_BYTES, '')
  const whole = new Uint8Array(size)
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.byteLength
  }
  return whole
}

/**
 * Reads a body against a schema. The whole must be JSON without duplicate keys and lone surrogates. Values at `raw` paths keep
 * their exact text; `deep`: how deep such a value may lie. With `empty`, an empty body reads as `{}`. `most`: a limit of bytes below that
 * of every request, and the field that it is told at.
 */
export async function readBody<Schema extends z.ZodType>(
  c: Call,
  schema: Schema,
  options: { raw?: RawPath; deep?: number; empty?: boolean; most?: { bytes: number; field: string } } = {},
): Promise<z.output<Schema>> {
  const text = await bodyText(c)
  const { most } = options
  if (most !== undefined && Buffer.byteLength(text) > most.bytes)
    throw tooLargeFailure(`The list ${most.field}`, most.bytes, most.field)
  if (options.empty === true && text.trim() === '') return parseWith(schema, {})
  return parseBody(text, schema, options.raw, options.deep)
}
