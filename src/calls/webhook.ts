import { network } from './send.ts'
import { standardWebhookHeaders } from './standard-webhook.ts'
import type { SignedMessage } from './standard-webhook.ts'

/** Limit for a delivery, in real milliseconds. An endpoint that needs longer should answer first and work afterwards. */
const TIMEOUT_MS = 10_000

/** One message to post. */
export interface Posting extends SignedMessage {
  url: string
  /** Signing secrets. The message carries one signature of each. */
  secrets: readonly string[]
}

/** Result of a posting. `why` is null after a delivery, which is any status from 200 to 299. */
export interface Delivery {
  status: number | null
  why: string | null
  /** True after 410: the endpoint says that it is gone for good, so no retry follows. */
  final: boolean
}

/** Posts a signed message. Never throws. It follows no redirect, and reads only the status of the answer. */
export async function deliver({ url, secrets, ...message }: Posting): Promise<Delivery> {
  const { body } = message
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'pilotlight',
    ...standardWebhookHeaders(message, secrets),
  }
  const timeout = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  // A fetch that ignores its signal must not block the caller.
  const timedOut = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => {
      timeout.abort()
      resolve('late')
    }, TIMEOUT_MS)
  })
  try {
    const sent = network(url, { method: 'POST', headers, body, redirect: 'manual', signal: timeout.signal })
    const answer = await Promise.race([sent, timedOut])
    if (answer === 'late') {
      sent.catch(() => {}) // nothing awaits it any more
      return failed(null, `the endpoint did not answer within ${TIMEOUT_MS / 1_000} seconds`)
    }
    answer.body?.cancel().catch(() => {}) // only the status counts
    return read(answer.status)
  } catch {
    return failed(null, 'the connection to the endpoint failed')
  } finally {
    clearTimeout(timer)
  }
}

function read(status: number): Delivery {
  if (status >= 200 && status < 300) return { status, why: null, final: false }
  if (status === 410) return { ...failed(status, 'the endpoint answered 410 (gone)'), final: true }
  return status >= 300 && status < 400
    ? failed(status, `the endpoint answered ${status}, a redirect, which is not followed`)
    : failed(status, `the endpoint answered ${status}`)
}

function failed(status: number | null, why: string): Delivery {
  return { status, why, final: false }
}
