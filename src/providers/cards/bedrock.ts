import type { ModelFacts } from '../../core/model/facts.ts'
import {
  ADAPTIVE,
  ADAPTIVE_BEHIND,
  ADAPTIVE_MEDIUM,
  automatic,
  BUDGETED,
  CHECKED,
  facts,
  model,
  price,
  stated,
} from './build.ts'
import type { ClaudeTraits } from './build.ts'
import { BEDROCK_COUNTED, OPENAI_TOKENS } from './tokens.ts'
import { openai } from './openai.ts'
import { bedrockConverse } from '../dialects/bedrock-converse/dialect.ts'
import type { Card, CardTokens, ModelCard } from '../card.ts'
import { HOUR_MS, MINUTE_MS } from '../../core/time/time.ts'

const DOCS = 'https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html'
const REGION = '{BEDROCK_REGION}'

type Usd = { input: number; output: number; read?: number }

/** A model's ids. Facts are looked up without a profile's region; `global.` stays, because it costs a tenth less. */
function names(id: string): string[] {
  return [id, `${id}-v*`, `${id}-20*`]
}

/**
 * The longest window of Claude and of Nova; earlier Claude and small Nova models take less. Other models of Bedrock take up to 10 million
 * tokens, so the card has none. Source: npm @pydantic/genai-prices 0.1.8, 88 models of AWS; checked 2026-12-01.
 */
const WINDOW = { contextTokens: 1_000_000 }

const VENDORS = 'anthropic|amazon|openai|meta|mistral|deepseek|cohere|ai21|qwen|writer'

/**
 * The id in an ARN of a model or of an inference profile, without the region of a profile (`eu.`, `apac.`, `us-gov.`).
 * An application's profile has an id of its own, which names no model.
 */
function knownAs(name: string): string {
  const id = /^arn:[\w-]+:bedrock:/.test(name) ? name.slice(name.lastIndexOf('/') + 1) : name
  return id.replace(new RegExp(`^(?!global\\.)[a-z]{2,6}(?:-[a-z]{2,4})?\\.(?=(?:${VENDORS})\\.)`), '')
}

/** A count takes the id of a model, without the region of a profile. */
function withNames(tokens: CardTokens): CardTokens {
  if (tokens.count === undefined) return tokens
  return { ...tokens, count: { ...tokens.count, nameOf: (name) => knownAs(name).replace(/^global\./, '') } }
}

/** As on the card of Anthropic's own API. */
function traitsOf(id: string): ClaudeTraits {
  if (id === 'mythos-preview') return { ...BUDGETED, thinksByDefault: true }
  if (/^(?:3-7-sonnet|(?:opus|sonnet|haiku)-4-[56])$/.test(id)) return BUDGETED
  if (id === 'opus-5-5') return ADAPTIVE_MEDIUM
  return /-4-[78]$/.test(id) ? ADAPTIVE_BEHIND : ADAPTIVE
}

/** Claude, with AWS's own minimums, which differ from Anthropic's. `hour`: whether it offers a retention of an hour. */
function claude(id: string, minimumTokens: number, rates: Usd | null, hour = true): ModelCard[] {
  const known: Omit<ModelFacts, 'price'> = {
    ...traitsOf(id),
    ...WINDOW,
    minimumTokens,
    retentions: [stated('5m', 'sliding', 5 * MINUTE_MS), ...(hour ? [stated('1h', 'sliding', HOUR_MS)] : [])],
    writesReported: true,
    primitives: ['one_token', 'floor_tokens'],
    sharedBy: 'blocks',
  }
  const at = (factor: number) => {
    if (rates === null) return []
    const [input, output] = [rates.input * factor, rates.output * factor]
    const read = (rates.read ?? rates.input * 0.1) * factor
    return [price({ input, read, output, writes: { '5m': input * 1.25, '1h': input * 2 } })]
  }
  return [
    model(names(`global.anthropic.claude-${id}`), known, at(1), DOCS),
    model(names(`anthropic.claude-${id}`), known, at(1.1), DOCS),
  ]
}

/** Parameters of Claude's own, which no other model takes. */
const NOT_ITS_OWN = ['thinking', 'adaptive', 'effort', 'top_k', 'parallel_tool_calls'] as const

/** Nova takes cache points of five minutes, and writes are free. */
function nova(id: string, rates: { input: number; read: number; output: number }): ModelCard {
  const row = automatic(
    names(`amazon.nova-${id}`),
    { retention: stated('5m', 'sliding', 5 * MINUTE_MS), sharedBy: 'blocks', rates: [rates] },
    DOCS,
  )
  return { ...row, facts: { ...row.facts, ...WINDOW, writesReported: true, refuses: NOT_ITS_OWN } }
}

/** Converse, with a Bedrock API key. */
export const bedrock: Card = {
  id: 'bedrock',
  alsoCalled: ['aws', 'amazon', 'amazon-bedrock'],
  spanName: 'aws.bedrock',
  aliases: ['aws.bedrock', 'aws', 'amazon-bedrock', 'bedrock_converse'],
  name: 'Amazon Bedrock Converse',
  baseUrl: `https://bedrock-runtime.${REGION}.amazonaws.com`,
  region: 'BEDROCK_REGION',
  auth: { header: 'authorization-bearer' },
  headers: {},
  dialect: bedrockConverse,
  knownAs,
  streams: false, // its streams are binary
  wire: { spentTokens: ['servicequotaexceededexception'], busyTokens: ['modelnotreadyexception'] },
  secret: 'AWS_BEARER_TOKEN_BEDROCK',
  models: [
    ...claude('opus-5-5', 512, { input: 4, output: 20, read: 0.2 }),
    ...claude('opus-5', 512, { input: 5, output: 25 }),
    ...claude('fable-5-1', 512, { input: 10, output: 50, read: 0.25 }),
    ...claude('fable-5', 512, { input: 10, output: 50 }),
    ...claude('mythos-5', 512, null),
    ...claude('opus-4-8', 1024, { input: 5, output: 25 }),
    ...claude('sonnet-5', 1024, { input: 2, output: 10 }),
    ...claude('sonnet-4-6', 1024, { input: 3, output: 15 }),
    ...claude('sonnet-4-5', 1024, { input: 3, output: 15 }),
    ...claude('opus-4-7', 4096, { input: 5, output: 25 }),
    ...claude('opus-4-6', 4096, { input: 5, output: 25 }),
    ...claude('opus-4-5', 4096, { input: 5, output: 25 }),
    ...claude('haiku-4-5', 4096, { input: 1, output: 5 }),
    ...claude('mythos-preview', 4096, null),
    ...claude('3-7-sonnet', 1024, null, false),
    nova('premier', { input: 2.5, read: 0.625, output: 12.5 }),
    nova('pro', { input: 0.8, read: 0.2, output: 3.2 }),
    nova('lite', { input: 0.06, read: 0.015, output: 0.24 }),
    nova('micro', { input: 0.035, read: 0.00875, output: 0.14 }),
  ],
  tokens: withNames(BEDROCK_COUNTED),
  facts: facts(DOCS, {
    mechanism:
      'Explicit cache points in tools, system and messages, four at most, the longer lifetime first; a best-effort implicit cache besides.',
    granularity: "AWS's own minimums by model, which differ from Anthropic's.",
    clock: '5 minutes or an hour, renewed by each read.',
    affinity: 'None to set. A profile of several regions may land in a cold one.',
    settings:
      "Assumed: as at Anthropic's own API; guardrails, performance and service tier change nothing, because no page says what they do.",
    writes: 'usage.cacheWriteInputTokens, by lifetime in cacheDetails[].',
    usage: 'inputTokens excludes cacheReadInputTokens and cacheWriteInputTokens.',
    price: "As Anthropic's by global profiles, a tenth more elsewhere; Nova reads at 0.25 × with no fee for writing.",
    limits:
      'Reads are not taken off the token quota. The SDK declares maxTokens of at least 1: probes ask for one token.',
    errors:
      '{message} with the name in x-amzn-errortype: ThrottlingException and ModelNotReadyException 429, ServiceUnavailableException 503, ValidationException 400; no wait is promised.',
    geo: 'Models by region; short-lived keys hold in the region that made them.',
  }),
  source: DOCS,
  checked: CHECKED,
}

/** OpenAI's models on Bedrock, under their own wire format. */
export const bedrockOpenai: Card = {
  ...openai,
  id: 'bedrock-openai',
  spanName: 'aws.bedrock',
  callerHeaders: [],
  name: 'OpenAI on Amazon Bedrock',
  knownAs,
  baseUrl: `https://bedrock-mantle.${REGION}.api.aws/openai/v1`,
  region: 'BEDROCK_REGION',
  secret: 'AWS_BEARER_TOKEN_BEDROCK',
  // AWS documents no count of this format.
  tokens: OPENAI_TOKENS,
  models: [
    model(
      ['openai.gpt-5.6*', 'openai.gpt-6*', 'global.openai.gpt-5.6*'],
      {
        minimumTokens: 1024,
        retentions: [stated('30m', 'minimum', 30 * MINUTE_MS)],
        writesReported: true,
        defaultEffort: 'medium', // as at OpenAI
        // A prewarm is not verified here: only where a body takes no breakpoint, as behind `instructions`, it is tried.
        primitives: ['floor_tokens', 'prewarm'],
        sharedBy: 'blocks',
      },
      [], // a tenth more than OpenAI's in a region; the price of each id is not published
      DOCS,
    ),
  ],
  facts: facts(DOCS, {
    mechanism: "As OpenAI's from GPT-5.6 on: implicit, and explicit breakpoints.",
    granularity: '1024 tokens.',
    clock: 'At least 30 minutes after the last write or reuse.',
    affinity: 'prompt_cache_key in the body.',
    writes: 'input_tokens_details.cache_write_tokens.',
    usage: "As OpenAI's.",
    price: 'Writes at 1.25 × input, reads at 0.1 ×.',
    limits: 'Cached tokens do not count toward input tokens a minute.',
    errors: "OpenAI's shape.",
  }),
  source: DOCS,
}
