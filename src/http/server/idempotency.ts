import { createMiddleware } from 'hono/factory'
import { Failure, invalid, otherBodyFailure } from '../../contract/failure.ts'
import type { FailureKind } from '../../contract/failure.ts'
import { sha256 } from '../../runtime/ids.ts'
import { bodyText } from './read-body.ts'
import { keepAlive, registryOf } from './context.ts'
import type { Shared } from './context.ts'

/** Size of one stored answer. */
const MAX_REMEMBERED_BYTES = 256 * 1024

/** Stored failures: those that the same body meets every time, and `cache_not_honoured`, whose call was paid for. Others may have passed. */
const REMEMBERED: ReadonlySet<FailureKind> = new Set([
  'invalid_request',
  'payload_too_large',
  'prefix_too_short',
  'cache_not_honoured',
])

/**
 * `Idempotency-Key` on a POST, per account, method and path, for 24 hours. The same call again gets the stored answer; the same
 * key with another body is a conflict. Failures that may pass are not stored.
 */
export const idempotent = createMiddleware<Shared>(async (c, next) => {
  const key = c.req.header('idempotency-key')
  if (key === undefined) {
    await next()
    return
  }
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw invalid('idempotency-key', 'must be 1 to 255 visible ASCII characters')
  }
  const registry = registryOf(c)
  const id = `${c.req.method} ${c.req.path}\n${key}`
  const begun = await registry.beginIdempotent(id, sha256(await bodyText(c)))
  if (begun.verdict === 'other') throw otherBodyFailure()
  if (begun.verdict === 'busy') {
    const message = 'The first call with this idempotency-key is still running. Send the request again in a moment.'
    throw new Failure('rate_limited', message, { field: 'idempotency-key', retry_after_seconds: 1 })
  }
  if (begun.verdict === 'replay') {
    c.res = c.json(JSON.parse(begun.body), begun.status as 200, { 'idempotent-replayed': 'true' })
    return
  }
  // A caller who hangs up will call again with the same key: the work goes on, and its answer is stored.
  const work = (async () => {
    await next()
    const text = rememberedText(c.res.status, await c.res.clone().text())
    if (text === null) await registry.abandonIdempotent(id)
    else await registry.finishIdempotent(id, c.res.status, text)
  })()
  keepAlive(c, work)
  await work
})

/** The answer of a warm, or of one model of a pool. */
interface Answer {
  receipt?: { provider_response?: unknown } | null
}

/** The stored answer of a call; null: nothing is stored, and the call is done again. A long answer loses the provider's own text. */
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
