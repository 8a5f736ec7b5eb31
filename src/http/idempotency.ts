import { createMiddleware } from 'hono/factory'
import { FAILURES, Failure } from '../contract/failures.ts'
import type { FailureKind } from '../contract/failures.ts'
import { sha256 } from '../runtime/ids.ts'
import { bodyText } from './body.ts'
import { keepAlive, registryOf } from './context.ts'
import type { Shared } from './context.ts'

/** Longer answers are not remembered: a row of the database has a limit. */
const MAX_REMEMBERED_CHARS = 500_000

/**
 * `Idempotency-Key` on a POST, per account, method and path, for 24 hours: the same call again is answered from memory,
 * the same key with another body is a conflict. Answers that may be tried again are not remembered.
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
    throw new Failure('conflict', 'The first call with this idempotency-key is still running; ask again in a moment.', {
      field: 'idempotency-key',
      retry_after_seconds: 1,
    })
  }
  if (begun.verdict === 'replay') {
    c.res = c.json(JSON.parse(begun.body), begun.status as 200, { 'idempotent-replayed': 'true' })
    return
  }
  // To its end also when the caller hangs up: it is this caller who will ask again with the same key.
  const work = (async () => {
    await next()
    const text = await c.res.clone().text()
    if (text.length <= MAX_REMEMBERED_CHARS && !mayBeTriedAgain(c.res.status, text)) {
      await registry.finishIdempotent(id, c.res.status, text)
    } else await registry.abandonIdempotent(id)
  })()
  keepAlive(c, work)
  await work
})

function mayBeTriedAgain(status: number, text: string): boolean {
  if (status < 400) return false
  const { error } = JSON.parse(text) as { error?: { kind?: FailureKind } }
  return error?.kind === undefined || FAILURES[error.kind].retryable
}
