import { createMiddleware } from 'hono/factory'
import { Failure } from '../../contract/failure.ts'
import type { FailureKind } from '../../contract/failure.ts'
import { sha256 } from '../../runtime/ids.ts'
import { bodyText } from './read-body.ts'
import { keepAlive, registryOf } from './context.ts'
import type { Shared } from './context.ts'

/** What one key may hold in the database. */
const MAX_REMEMBERED_BYTES = 256 * 1024

/** Failures that the same body meets every time, and the one whose call was paid for. Any other may have healed. */
const REMEMBERED: ReadonlySet<FailureKind> = new Set([
  'invalid_request',
  'payload_too_large',
  'prefix_too_short',
  'cache_not_honoured',
])

/**
 * `Idempotency-Key` on a POST, per account, method and path, for 24 hours: the same call again is answered from memory,
 * the same key with another body is a conflict. Failures that may heal are not remembered.
 */
export const idempotent = createMiddleware<Shared>(async (c, next) => {
  const key = c.req.header('idempotency-key')
  if (key === undefined) {
    await next()
    return
  }
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new Failure('invalid_request', 'idempotency-key: must be 1 to 255 visible ASCII characters.', {
      field: 'idempotency-key',
    })
  }
  const registry = registryOf(c)
  const id = `${c.req.method} ${c.req.path}\n${key}`
  const begun = await registry.beginIdempotent(id, sha256(await bodyText(c)))
  if (begun.verdict === 'other') {
    throw new Failure('conflict', 'idempotency-key: was used before with another body.', { field: 'idempotency-key' })
  }
  if (begun.verdict === 'busy') {
    const message = 'The first call with this idempotency-key is still running; ask again in a moment.'
    throw new Failure('rate_limited', message, { field: 'idempotency-key', retry_after_seconds: 1 })
  }
  if (begun.verdict === 'replay') {
    c.res = c.json(JSON.parse(begun.body), begun.status as 200, { 'idempotent-replayed': 'true' })
    return
  }
  // To its end also when the caller hangs up: it is this caller who will ask again with the same key.
  const work = (async () => {
    await next()
    const text = rememberedText(c.res.status, await c.res.clone().text())
    if (text === null) await registry.abandonIdempotent(id)
    else await registry.finishIdempotent(id, c.res.status, text)
  })()
  keepAlive(c, work)
  await work
})

/** A warm's answer, or one model's in the answer of a pool's. */
interface Answer {
  receipt?: { provider_response?: unknown } | null
}

/** What a repeated call is told; null: it is done anew. A long answer is kept without the provider's own text. */
export function rememberedText(status: number, text: string): string | null {
  if (status >= 400) {
    const { error } = JSON.parse(text) as { error?: { kind?: FailureKind } }
    if (error?.kind === undefined || !REMEMBERED.has(error.kind)) return null
  }
  if (fits(text)) return text
  const answer = JSON.parse(text) as Answer & { models?: { result?: Answer | null }[] }
  const own = answer.models?.flatMap(({ result }) => result ?? []) ?? []
  const receipts = [answer, ...own].flatMap(({ receipt }) => receipt ?? [])
  for (const receipt of receipts) if (receipt.provider_response !== undefined) receipt.provider_response = null
  const shorter = JSON.stringify(answer)
  return fits(shorter) ? shorter : null
}

function fits(text: string): boolean {
  return Buffer.byteLength(text) <= MAX_REMEMBERED_BYTES
}
