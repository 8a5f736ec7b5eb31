/** Body of a request as JSON text. */
export interface RequestJson {
  json: string
}

/** A body that is read once only, by whoever sends it. */
export const STREAM = Symbol('stream')

/** What is known of a request's body before it is sent. Null: a request that is no `POST` of JSON. */
export type KnownBody = RequestJson | typeof STREAM | null

/**
 * Returns the body of a `POST` as JSON text. Bodies that take time to read are a promise: a Blob, and those of a `Request`, which is
 * copied here and so must be asked about before it is sent. Reading never fails: a body that cannot be read is null.
 */
export function bodyOf(input: string | URL | Request, init: RequestInit | undefined): KnownBody | Promise<KnownBody> {
  const request = isRequest(input) ? input : null
  const method = init?.method ?? request?.method ?? 'GET'
  if (method.toUpperCase() !== 'POST') return null
  const body: unknown = init?.body
  if (body !== undefined && body !== null) return givenBody(body)
  if (request === null || request.body === null || request.bodyUsed) return null
  return request
    .clone()
    .text()
    .then(jsonText, () => null)
}

function givenBody(body: unknown): KnownBody | Promise<KnownBody> {
  if (typeof body === 'string') return jsonText(body)
  if (body instanceof ArrayBuffer) return jsonText(new TextDecoder().decode(body))
  if (ArrayBuffer.isView(body)) {
    const { buffer, byteOffset, byteLength } = body
    return jsonText(new TextDecoder().decode(new Uint8Array(buffer, byteOffset, byteLength)))
  }
  if (body instanceof Blob) return body.text().then(jsonText, () => null)
  if (body instanceof ReadableStream || isIterable(body)) return STREAM
  return null
}

function jsonText(text: string): RequestJson | null {
  return /^\s*\{/.test(text) ? { json: text } : null
}

export function isRequest(input: string | URL | Request): input is Request {
  return typeof input === 'object' && 'url' in input
}

/** Node takes an iterable of chunks as well, which the types do not say. Forms are iterable too, and no JSON. */
function isIterable(body: unknown): boolean {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body
}
