import type { RetentionOffer } from '../../core/model/facts.ts'
import { assumed, CHAT, CHECKED, facts, model, price } from './build.ts'
import type { Card, ModelCard } from '../card.ts'
import { HOUR_MS, MINUTE_MS } from '../../core/time/time.ts'

const DOCS = 'https://forum.moonshot.ai'

/** The request names it. Whether a read renews it is not verified: receipts decide. */
function kept(name: string, ttlMs: number): RetentionOffer {
  return assumed(name, ttlMs, ttlMs / 2, ttlMs)
}

/** Since October 2026 writes are billed: 5 minutes at 1 × input, an hour at 2 ×. */
function row(names: string[], rates: { input: number; read: number; output: number } | null): ModelCard {
  const prices = rates === null ? [] : [price({ ...rates, writes: { '5m': rates.input, '1h': rates.input * 2 } })]
  return model(
    names,
    {
      minimumTokens: null,
      retentions: [kept('5m', 5 * MINUTE_MS), kept('1h', HOUR_MS)],
      writesReported: false,
      primitives: ['one_token', 'floor_tokens'],
      sharedBy: 'tokens',
      // Source: platform.kimi.com, "Use reasoning effort", checked 2026-11-30. Of other models it names none.
      ...(names.includes('kimi-k3') ? { defaultEffort: 'max' } : {}),
    },
    prices,
    DOCS,
  )
}

export const moonshot: Card = {
  ...CHAT,
  id: 'moonshot',
  alsoCalled: ['kimi'],
  spanName: 'moonshot_ai',
  aliases: ['moonshot_ai', 'moonshotai'],
  name: 'Moonshot Kimi',
  baseUrl: 'https://api.moonshot.ai/v1',
  secret: 'MOONSHOT_API_KEY',
  // Of K3; others take 262,144 at most. Source: npm @pydantic/genai-prices 0.1.8, 13 models; checked 2026-12-01.
  contextTokens: 1_048_576,
  wire: {
    controls: 'ttl',
    // `thinking` is `{type}` on K2.6, and K3 always thinks. Sources, checked 2026-11-30: schema of the call for K2.6 (derived from Moonshot's
    // OpenAPI by api-evangelist); models.dev, which cites platform.kimi.ai, models overview. Assumed: the same on K2.5, and no `top_k`.
    lacks: ['top_k'],
    thinking: 'type',
    keyMember: 'prompt_cache_key',
    retentions: ['5m', '1h'],
    spentTokens: ['exceeded_current_quota_error'],
    spentWords: ['insufficient balance'],
    busyTokens: ['engine_overloaded_error'],
    keyWords: ['invalid authentication'],
  },
  models: [
    row(['kimi-k3'], { input: 3, read: 0.3, output: 15 }),
    row(['kimi-k2.6'], { input: 0.95, read: 0.16, output: 4 }),
    row(['kimi-k2.5'], { input: 0.6, read: 0.1, output: 3 }),
    row(['kimi-*'], null),
  ],
  facts: facts(DOCS, {
    mechanism: 'Automatic prefix cache with a choice of lifetime.',
    clock:
      '5 minutes, also where nothing is asked, or an hour (prompt_cache_options.ttl). Assumed: a read renews, until receipts say otherwise.',
    affinity: 'prompt_cache_key in the body.',
    writes:
      'Billed. Assumed: the count is named cache_write_tokens or cache_creation_input_tokens; both are read where they come.',
    usage: 'prompt_tokens includes usage.cached_tokens at the top; in streams the usage may stand in choices[0].',
    price: 'Writes at 1 × input for 5 minutes and 2 × for an hour; reads at 0.1 ×.',
    errors:
      '{error: {type, message}}: exceeded_current_quota_error, rate_limit_reached_error, engine_overloaded_error; 403 for an empty balance.',
  }),
  source: DOCS,
  checked: CHECKED,
}
