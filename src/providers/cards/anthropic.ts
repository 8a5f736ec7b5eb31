import type { ModelFacts } from '../../core/model/facts.ts'
import {
  ADAPTIVE,
  ADAPTIVE_BEHIND,
  ADAPTIVE_MEDIUM,
  BUDGETED,
  CHECKED,
  facts,
  ids,
  model,
  price,
  stated,
} from './build.ts'
import type { ClaudeTraits } from './build.ts'
import { anthropicMessages } from '../dialects/anthropic-messages/dialect.ts'
import type { Card, ModelCard } from '../card.ts'
import { HOUR_MS, MINUTE_MS } from '../../core/time/time.ts'
import { CLAUDE_COUNTED } from './tokens.ts'

const DOCS = 'https://platform.claude.com/docs/en/build-with-claude/prompt-caching'

/** Writes cost 1.25 × input for 5 minutes and 2 × for an hour. Reads cost 0.1 × unless a row states another price. */
function row(
  names: string[],
  minimumTokens: number | null,
  usd: { input: number; output: number; read?: number } | null,
  traits: ClaudeTraits = {},
): ModelCard {
  const known: Omit<ModelFacts, 'price'> = {
    ...traits,
    minimumTokens,
    retentions: [stated('5m', 'sliding', 5 * MINUTE_MS), stated('1h', 'sliding', HOUR_MS)],
    writesReported: true,
    primitives: ['zero_output', 'one_token'],
    sharedBy: 'blocks',
  }
  const prices =
    usd === null
      ? []
      : [
          price({
            input: usd.input,
            read: usd.read ?? usd.input * 0.1,
            output: usd.output,
            writes: { '5m': usd.input * 1.25, '1h': usd.input * 2 },
          }),
        ]
  return model(names, known, prices, DOCS)
}

/**
 * Before the 4.6 generation, names without a date are aliases of one dated model each. Later names have no date and no alias.
 * Source: platform.claude.com, "Model IDs and versioning", and the types of @anthropic-ai/sdk; checked 2026-11-30.
 */
const SNAPSHOTS: Readonly<Record<string, string>> = {
  'claude-opus-4-5-20251101': 'claude-opus-4-5',
  'claude-sonnet-4-5-20250929': 'claude-sonnet-4-5',
  'claude-haiku-4-5-20251001': 'claude-haiku-4-5',
  'claude-opus-4-1-20250805': 'claude-opus-4-1',
  'claude-opus-4-20250514': 'claude-opus-4-0',
  'claude-sonnet-4-20250514': 'claude-sonnet-4-0',
  'claude-3-5-haiku-20241022': 'claude-3-5-haiku-latest',
}

/** Anthropic's own API. Minimums follow no trend: they rise and fall from one model to the next. */
export const anthropic: Card = {
  id: 'anthropic',
  name: 'Anthropic Messages',
  baseUrl: 'https://api.anthropic.com',
  auth: { header: 'x-api-key' },
  headers: { 'anthropic-version': '2023-06-01' },
  callerHeaders: ['anthropic-beta', 'anthropic-version'],
  // The checksum of Claude Code's attribution line is read here and not compared; its build is. Sources: github.com/anthropics/claude-code,
  // issues 50085 and 24168; checked 2026-11-30.
  notCompared: [/(?<=x-anthropic-billing-header:[^"\\]{0,200})\bcch=[0-9a-f]{1,16};? ?/g],
  dialect: anthropicMessages,
  // Of its own API alone: the cloud platforms have none.
  diagnostics: {
    place: ['diagnostics', 'previous_message_id'],
    takesNone: true,
    source: 'npm @anthropic-ai/sdk 1.14.0, resources/messages/messages.d.ts',
    checked: '2026-11-30',
  },
  renewsAllMarkers: true,
  secret: 'ANTHROPIC_API_KEY',
  // Source: platform.claude.com, "Context windows": 1M or 200k tokens; checked 2026-11-30.
  contextTokens: 1_000_000,
  sameModels: SNAPSHOTS,
  models: [
    row(ids('claude-opus-5-5'), 512, { input: 4, output: 20, read: 0.2 }, ADAPTIVE_MEDIUM),
    row(ids('claude-opus-5'), 512, { input: 5, output: 25 }, ADAPTIVE),
    row(ids('claude-sonnet-5-5'), 512, null, ADAPTIVE),
    row(ids('claude-fable-5-1'), 512, { input: 10, output: 50, read: 0.25 }, ADAPTIVE),
    row(ids('claude-fable-5'), 512, { input: 10, output: 50 }, ADAPTIVE),
    row(ids('claude-mythos-5-1', 'claude-mythos-5'), 512, null, ADAPTIVE),
    row(ids('claude-opus-4-8'), 1024, { input: 5, output: 25 }, ADAPTIVE_BEHIND),
    row(ids('claude-sonnet-5'), 1024, { input: 2, output: 10 }, ADAPTIVE),
    row(
      ids('claude-sonnet-4-6', 'claude-sonnet-4-5', 'claude-sonnet-4-0', 'claude-sonnet-4'),
      1024,
      { input: 3, output: 15 },
      BUDGETED,
    ),
    row(ids('claude-opus-4-1', 'claude-opus-4-0', 'claude-opus-4'), 1024, { input: 15, output: 75 }, BUDGETED),
    row(ids('claude-opus-4-7'), 2048, { input: 5, output: 25 }, ADAPTIVE_BEHIND),
    row(ids('claude-mythos-preview'), 2048, null, { ...BUDGETED, thinksByDefault: true }),
    row(ids('claude-3-5-haiku', 'claude-3-5-haiku-latest'), 2048, { input: 0.8, output: 4 }, BUDGETED),
    row(ids('claude-opus-4-6', 'claude-opus-4-5'), 4096, { input: 5, output: 25 }, BUDGETED),
    row(ids('claude-haiku-4-5'), 4096, { input: 1, output: 5 }, BUDGETED),
    // Ids of SDK 1.11.0 for which neither a minimum nor a price is published.
    row(ids('claude-haiku-5-5'), null, null, ADAPTIVE_MEDIUM),
    row(ids('claude-fable-5-2', 'claude-mythos-5-2'), null, null),
  ],
  tokens: CLAUDE_COUNTED,
  facts: facts(DOCS, {
    mechanism:
      'Explicit breakpoints (cache_control), four at most, or one automatic one at the end; entries are written at breakpoints only.',
    granularity: '512 to 4096 tokens by model, and exactly to the breakpoint.',
    clock:
      '5 minutes or an hour from the start of the request that wrote or last read. Cached content is renewed each time it is used. Assumed: so are the entries at markers in front of the one that is read, until an answer shows otherwise.',
    affinity: 'None to set. Entries belong to a workspace.',
    settings:
      'Compared: thinking, effort, format and a choice of tools, in front of the messages; speed, in front of the system prompt. Thinking as the model does it by itself, and an effort at its default (high; medium on Opus 5.5 and Haiku 5.5), are the same as none. Assumed: on the fifth generation thinking and effort stand in front of everything; service_tier, inference_geo and thinking.display change nothing.',
    writes: 'cache_creation_input_tokens, by lifetime in cache_creation.',
    usage: 'input_tokens excludes what was read and written; streams correct themselves in message_delta.',
    price:
      'Writes at 1.25 × input (5m) and 2 × (1h); reads at 0.1 ×, 0.05 × on Opus 5.5, 0.025 × on Fable and Mythos 5.1.',
    limits: 'Reads do not count toward input tokens a minute on most models. retry-after, anthropic-ratelimit-*.',
    errors: '{type: "error", error: {type, message}}: rate_limit_error 429, overloaded_error 529, billing_error.',
    geo: '403 "Request not allowed".',
  }),
  source: DOCS,
  checked: CHECKED,
}
