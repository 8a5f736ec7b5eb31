import { Failure, invalid } from '../../contract/failure.ts'
import { limitValues, tooLargeFailure } from '../../registration/json-body.ts'
import type { Call } from '../server/context.ts'
import { decoded, readBytes } from '../server/read-body.ts'

/** Most bytes of an export once it is unpacked. */
export const MAX_EXPORT_BYTES = 16 * 1024 * 1024
/** Most JSON values and keys in one. Spans have many short ones. */
export const MAX_EXPORT_VALUES = 500_000

const PROTOBUF =
  'OTLP is taken as JSON, not as protobuf. In a collector set `encoding: json` at its otlphttp exporter, in an SDK OTEL_EXPORTER_OTLP_PROTOCOL=http/json'

/** The text of an export that another program posts, plain or packed with gzip. Throws `unsupported_media_type`, `payload_too_large` or `invalid_request`. */
export async function readExport(c: Call): Promise<string> {
  const { headers } = c.req.raw
  const type = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
  if (/protobuf|octet-stream|grpc/.test(type)) throw unsupported('content-type', PROTOBUF)
  if (type !== '' && !/json$|^text\/plain$/.test(type)) throw unsupported('content-type', 'must be application/json')
  const encoding = headers.get('content-encoding')?.trim().toLowerCase() ?? 'identity'
  if (!['identity', 'gzip'].includes(encoding)) throw unsupported('content-encoding', 'must be gzip, or absent')
  const bytes = await readBytes(c.req.raw)
  const text = decoded(encoding === 'gzip' ? await unpacked(bytes) : bytes)
  limitValues(text, MAX_EXPORT_VALUES)
  return text
}

function unsupported(field: string, what: string): Failure {
  return new Failure('unsupported_media_type', `${field}: ${what}.`, { field })
}

/** Unpacks no further than the limit: a few bytes may stand for gigabytes. */
async function unpacked(bytes: Uint8Array): Promise<Uint8Array> {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip')).getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      size += next.value.byteLength
      if (size > MAX_EXPORT_BYTES) throw tooLargeFailure('The unpacked body', MAX_EXPORT_BYTES, '')
      chunks.push(next.value)
    }
  } catch (thrown) {
    if (thrown instanceof Failure) throw thrown
    throw invalid('content-encoding', 'is gzip, but the body cannot be unpacked')
  } finally {
    reader.cancel().catch(() => {}) // it has ended already, or is no longer needed
  }
  return Buffer.concat(chunks)
}
