import { Webhook } from 'standardwebhooks'
import { network } from './send.ts'

/** Real time: an endpoint that needs longer to say that it has a message does its work before it says so. */
const TIMEOUT_MS = 10_000

/** One message, to be posted once. */
export interface Posting {
  url: string
  /** What it is signed with; each of them signs. */
  secrets: readonly string[]
  id: string
  body: string
  /** By the machine's clock, whatever the product's is: receivers refuse what is more than minutes from theirs. */
  sentAt: number
}

/** What came of it; `why` is null where it was delivered, which any status from 200 to 299 says. */
export interface Delivery {
  status: number | null
  why: string | null
  /** The endpoint said that it is gone, which no waiting changes. */
  final: boolean
}

/**
 * Posts a signed message (https://www.standardwebhooks.com, checked 2026-11-21). Never throws. Redirects are not followed, and of
 * the answer nothing is read but its status.
 */
export async function deliver({ url, secrets, id, body, sentAt }: Posting): Promise<Delivery> {
  const at = new Date(sentAt)
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'pilotlight',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(sentAt / 1_000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
  }
  const late = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  // A fetch that does not heed the signal must not hold us.
  const timedOut = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => {
      late.abort()
      resolve('late')
    }, TIMEOUT_MS)
  })
  try {
    const sent = network(url, { method: 'POST', headers, body, redirect: 'manual', signal: late.signal })
    const answer = await Promise.race([sent, timedOut])
    if (answer === 'late') {
      sent.catch(() => {}) // it was given up, and nobody else listens to it
      return failed(null, `the endpoint did not answer within ${TIMEOUT_MS / 1_000} seconds`)
    }
    answer.body?.cancel().catch(() => {}) // what it says is not our business
    return read(answer.status)
  } catch {
    return failed(null, 'the connection to the endpoint failed')
  } finally {
    clearTimeout(timer)
  }
}

function read(status: number): Delivery {
  if (status >= 200 && status < 300) return { status, why: null, final: false }
  if (status === 410) return { ...failed(status, 'the endpoint answered 410: it is gone'), final: true }
  return status >= 300 && status < 400
    ? failed(status, `the endpoint answered ${status}, a redirect, which is not followed`)
    : failed(status, `the endpoint answered ${status}`)
}

function failed(status: number | null, why: string): Delivery {
  return { status, why, final: false }
}
