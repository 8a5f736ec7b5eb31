import { Webhook } from 'standardwebhooks'

/** A message to sign. */
export interface SignedMessage {
  id: string
  body: string
  /** Real instant, also where the product's clock runs faster: receivers refuse a time that is minutes off their own. */
  sentAt: number
}

/**
 * Headers of Standard Webhooks (https://www.standardwebhooks.com, checked 2026-11-21), for webhooks and tools alike. The message carries one
 * signature of each secret (`whsec_` and base64), so that a receiver that knows any of them accepts it.
 */
export function standardWebhookHeaders(
  { id, body, sentAt }: SignedMessage,
  secrets: readonly string[],
): Record<string, string> {
  const at = new Date(sentAt)
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(sentAt / 1_000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
  }
}
