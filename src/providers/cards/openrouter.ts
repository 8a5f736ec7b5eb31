import { automatic, CHAT, facts, model, stated, UNSTATED } from './build.ts'
import type { Card, ModelCard } from '../card.ts'
import { HOUR_MS, MINUTE_MS } from '../../core/time/time.ts'

const DOCS = 'https://openrouter.ai/docs/features/prompt-caching'

/** Claude caches only at markers, and its upstreams report writes. Minimum and price are the upstream's. */
function claude(source: string): ModelCard {
  const retentions = [stated('5m', 'sliding', 5 * MINUTE_MS), stated('1h', 'sliding', HOUR_MS)]
  const known: ModelCard['facts'] = {
    minimumTokens: null,
    retentions,
    writesReported: true,
    primitives: ['one_token', 'floor_tokens'],
    sharedBy: 'blocks',
  }
  return model(CLAUDE, known, [], source)
}

/** Other models. What their caches compare depends on the upstream. */
function others(source: string): ModelCard {
  const { facts: known, ...row } = automatic(['*'], { retention: UNSTATED }, source)
  const { sharedBy: _, ...rest } = known
  return { ...row, facts: rest }
}

const CLAUDE = ['anthropic/*']

export const openrouter: Card = {
  ...CHAT,
  id: 'openrouter',
  name: 'OpenRouter',
  baseUrl: 'https://openrouter.ai/api/v1',
  secret: 'OPENROUTER_API_KEY',
  ownMembers: ['provider'],
  wire: {
    // Pins a conversation to one upstream. So does `provider`, which is sent as it is: upstreams share no cache.
    keyMember: 'session_id',
    routing: ['provider.order', 'provider.only'],
    lacks: [],
    // Source: openrouter.ai, reasoning tokens, checked 2026-11-30.
    thinking: 'reasoning',
    markers: ['cache_control', 'prompt_cache_breakpoint'],
    markedModels: CLAUDE,
    advice: [
      {
        cause: 'conversation_pinned',
        message:
          'Requests go to the upstream that their conversation is pinned to. Give a session_id (cache.key), or a provider with allow_fallbacks false, also in real requests. Otherwise a probe is a separate conversation and may warm another upstream. provider.order switches pinning off.',
      },
    ],
  },
  models: [claude(DOCS), others(DOCS)],
  facts: facts(DOCS, {
    mechanism:
      "The upstream's; markers of either kind are passed on, and translated. Claude writes at cache_control markers only: probes set them, four at most, on text and on tools.",
    granularity: "The upstream's.",
    clock:
      "The upstream's (Claude: 5 minutes or an hour, as the marker says); the pin to it ends about 10 minutes after the last request.",
    affinity: 'session_id in the body (at most 256 characters), or provider {order, only, allow_fallbacks}.',
    settings:
      'What chooses an upstream is no part of a prefix (provider, models, route). A request that names another order or only is told so. Assumed: transforms change nothing, because they cut a prompt only where it is too long; plugins are put into it.',
    writes: 'prompt_tokens_details.cache_write_tokens, where the upstream reports them.',
    usage: 'prompt_tokens includes prompt_tokens_details.cached_tokens. Hits of some upstreams are not passed on.',
    price: "The upstream's; none is kept here, because it changes with the upstream.",
    errors:
      '{error: {code, message, metadata}} with a number for a code; an error may also come inside an answer of 200.',
    geo: 'By upstream.',
  }),
  source: DOCS,
}

const FAL_DOCS = 'https://docs.fal.ai'

/** fal passes language models on to OpenRouter. */
export const fal: Card = {
  ...openrouter,
  id: 'fal',
  aliases: ['fal_ai'],
  name: 'fal (OpenRouter)',
  baseUrl: 'https://fal.run/openrouter/router/openai/v1',
  auth: { header: 'authorization', scheme: 'Key' },
  secret: 'FAL_KEY',
  wire: { ...openrouter.wire, spentWords: ['exhausted balance'], keyWords: ['user is locked'] },
  models: [claude(FAL_DOCS), others(FAL_DOCS)],
  facts: facts(FAL_DOCS, {
    mechanism: "Passed on to OpenRouter; nothing is documented about caching. What a probe's usage shows decides.",
    usage: 'Assumed: as OpenRouter.',
    errors: '{detail} at the top; 403 "User is locked. Reason: Exhausted balance" when the balance is spent.',
  }),
  source: FAL_DOCS,
}
