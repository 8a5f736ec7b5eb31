import type { WebhookView } from '../../durable/registry/records/webhook.ts'
import { iso } from './format.ts'

export function webhookJson(view: WebhookView) {
  return {
    url: view.url,
    created_at: iso(view.createdAt),
    secret_created_at: iso(view.secretAt),
    sealed_with: view.sealedWith,
    waiting: view.waiting,
    undeliverable: view.undeliverable,
    delivered: view.delivered,
    last_delivered_at: iso(view.lastDeliveredAt),
    last_failure: view.lastFailure === null ? null : { at: iso(view.lastFailure.at), why: view.lastFailure.why },
  }
}
