import type * as z from 'zod'
import { readFailure } from '../contract/failure.ts'
import { webhookProblem } from '../contract/webhook.ts'
import type { webhookMessage } from '../contract/webhook.ts'
import type { Clock } from '../runtime/clock.ts'
import { isDevelopment } from '../runtime/env.ts'
import type { Vars } from '../runtime/env.ts'
import { accountIdOf } from '../runtime/jurisdiction.ts'
import { unseal } from '../runtime/seal.ts'
import type { SealedFor } from '../runtime/seal.ts'
import { deliver } from './webhook.ts'
import type { Delivery } from './webhook.ts'

export type WebhookMessage = z.output<typeof webhookMessage>

/** No credential can have this name, so a sealed credential never opens as a webhook secret. */
const SEALED_NAME = '/webhook'

/** A signing secret, sealed. The generation rises with each secret of the webhook. */
export interface SealedSecret {
  sealed: string
  generation: number
}

/** Address of an account's webhook and the secrets that sign its messages. Secrets are unsealed only to post a message. */
export interface WebhookTarget {
  account: string
  url: string
  /** The current secret first. For a day after a change the previous one follows. */
  secrets: SealedSecret[]
}

/** Identity that the sealed secret of a webhook is bound to: it can be unsealed for this account and generation alone. */
export function sealedFor(account: string, generation: number): SealedFor {
  return { account, name: SEALED_NAME, generation, host: '' }
}

/** Signs a message and posts it once. Never throws: `why` of the result says what failed. */
export async function postMessage(
  target: WebhookTarget,
  id: string,
  message: WebhookMessage,
  vars: Vars,
  clock: Clock,
): Promise<Delivery> {
  const problem = webhookProblem(target.url, isDevelopment(vars))
  if (problem !== null) return { status: null, why: `url: ${problem}`, final: false }
  try {
    const secrets = webhookSecrets(target, vars)
    return await deliver({
      url: target.url,
      secrets,
      id,
      body: JSON.stringify(message),
      sentAt: clock.realAt(clock.now()),
    })
  } catch (thrown) {
    return { status: null, why: readFailure(thrown)?.message ?? 'the message could not be signed', final: false }
  }
}

/** Unseals the secrets of a webhook. Throws `not_configured` if the deployment lacks the secret that sealed them. */
export function webhookSecrets({ account, secrets }: WebhookTarget, vars: Vars): string[] {
  return secrets.map(({ sealed, generation }) => unseal(sealed, sealedFor(account, generation), vars))
}

/** Builds the message of `POST /accounts/{id}/webhook/test`, which names no stopped plan. */
export function testMessage(account: string, now: number): WebhookMessage {
  return {
    type: 'webhook.test',
    timestamp: new Date(now).toISOString(),
    data: { account: accountIdOf(account), count: 0, stops: [] },
  }
}
