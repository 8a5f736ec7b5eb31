/**
 * What the lab knows of each vendor's models, as far as caching depends on it.
 * Ids that start with `lab-` are accepted everywhere, with permissive defaults (no minimum size to speak of).
 */
export const LAB_PREFIX = 'lab-'

export type AnthropicModel = {
  id: string
  minTokens: number
  /** Thinking and effort are rendered in front of everything, not in front of the messages. */
  settingsFirst: boolean
  /** Values of `thinking.type` that it takes. */
  thinking: readonly string[]
  /** A request without `thinking` thinks, as `adaptive` does. */
  thinksByDefault: boolean
  /** Effort of a request that names none. */
  effort: string
  /** Takes `temperature`, `top_p` and `top_k` other than their defaults. */
  sampling: boolean
  /** Takes a last message of the assistant, to go on with. */
  prefill: boolean
  /** Takes a `tool_choice` of type `any` or `tool`. */
  forcedTools: boolean
  permissive: boolean
}

/**
 * Smallest prefix that is cached, by model.
 * Source: Anthropic docs, build-with-claude/prompt-caching, "cache limitations"; checked 2026-11-21.
 * Assumed: 512 for Haiku 5.5, Fable 5.2 and Mythos 5.2, whose ids are in @anthropic-ai/sdk 1.11.0 but not in that table.
 */
const ANTHROPIC_MIN_TOKENS: Record<string, number> = {
  'claude-fable-5': 512,
  'claude-fable-5-1': 512,
  'claude-fable-5-2': 512,
  'claude-mythos-5': 512,
  'claude-mythos-5-1': 512,
  'claude-mythos-5-2': 512,
  'claude-opus-5': 512,
  'claude-opus-5-5': 512,
  'claude-sonnet-5-5': 512,
  'claude-haiku-5-5': 512,
  'claude-opus-4-8': 1024,
  'claude-sonnet-5': 1024,
  'claude-sonnet-4-6': 1024,
  'claude-sonnet-4-5': 1024,
  'claude-sonnet-4': 1024,
  'claude-opus-4-1': 1024,
  'claude-opus-4': 1024,
  'claude-opus-4-7': 2048,
  'claude-mythos-preview': 2048,
  'claude-opus-4-6': 4096,
  'claude-opus-4-5': 4096,
  'claude-haiku-4-5': 4096,
}

/** The model behind an id, dated ids included; `undefined` when the vendor has no such model. */
export function anthropicModel(id: string): AnthropicModel | undefined {
  if (id.startsWith(LAB_PREFIX)) {
    const takesAll = { sampling: true, prefill: true, forcedTools: true, permissive: true }
    const thinking = ['enabled', 'disabled', 'adaptive', 'between_tools']
    return { id, minTokens: 1, settingsFirst: true, thinking, thinksByDefault: false, effort: 'high', ...takesAll }
  }
  const name = id.replace(/-20\d{6}$/, '')
  const minTokens = ANTHROPIC_MIN_TOKENS[name]
  if (minTokens === undefined) return undefined
  // Thinking and effort break messages everywhere, and tools and system "on some models" (same page). Which ones is not
  // published: the lab assumes the fifth generation.
  const settingsFirst = /-5(-\d)?$/.test(name) && !name.endsWith('-4-5')
  return { id: name, minTokens, settingsFirst, ...anthropicSettings(name), permissive: false }
}

type Settings = Pick<AnthropicModel, 'thinking' | 'thinksByDefault' | 'effort' | 'sampling' | 'prefill' | 'forcedTools'>

/**
 * What each model takes of thinking, sampling, prefill and forced tools. Sources: Anthropic docs,
 * build-with-claude/thinking-troubleshooting (the table of rejected configurations) and models/sonnet-5-5/migration-guide; for
 * Opus 5.5 confident-ai/deepeval#3348 and anthropics' own messages in public threads; for Haiku 5.5 danielmiessler/fabric#2270;
 * checked 2026-11-30. Effort: docs, build-with-claude/effort, and models/opus-5-5/whats-new-opus-5-5 (medium; Haiku 5.5 likewise, as public notes on
 * its launch say), same day. Assumed: Fable 5.2 and Mythos 5.2 as 5.1, Haiku 5.5 as Sonnet 5.5 in all that is not told of it.
 */
export function anthropicSettings(name: string): Settings {
  const legacy: Settings = {
    thinking: ['enabled', 'disabled'],
    thinksByDefault: false,
    effort: 'high',
    sampling: true,
    prefill: true,
    forcedTools: true,
  }
  const modern: Settings = { ...legacy, thinking: ['adaptive', 'disabled'], sampling: false, prefill: false }
  if (/^claude-(opus|sonnet)-4-6$/.test(name)) {
    return { ...legacy, thinking: ['enabled', 'disabled', 'adaptive'], prefill: false }
  }
  if (/^claude-opus-4-[78]$/.test(name)) return modern
  if (/^claude-(opus|sonnet)-5$/.test(name)) return { ...modern, thinksByDefault: true }
  if (/^claude-(sonnet|haiku|opus)-5-5$/.test(name)) {
    const effort = name === 'claude-sonnet-5-5' ? 'high' : 'medium'
    return { ...modern, thinking: ['adaptive', 'between_tools'], thinksByDefault: true, effort, forcedTools: false }
  }
  const always = { ...modern, thinking: ['adaptive'], thinksByDefault: true }
  if (/^claude-(fable|mythos)-5$/.test(name)) return always
  if (/^claude-(fable|mythos)-5-\d$/.test(name)) return { ...always, forcedTools: false }
  if (name === 'claude-mythos-preview') return { ...always, thinking: ['enabled', 'adaptive'] }
  return legacy
}

export type OpenAIModel = {
  id: string
  /** GPT-5.6 and later cache at exact breakpoints; earlier models match prefixes automatically. */
  regime: 'breakpoints' | 'automatic'
  minTokens: number
  reasoning: boolean
  /** `prompt_cache_retention`: both values, only `24h`, or refused. */
  retention: 'both' | '24h' | 'refused'
  /** GPT-6 and later refuse temperature and top_p unless effort is `none`. */
  refusesSampling: boolean
  /** Effort of a request that names none. */
  effort: string
  permissive: boolean
}

/**
 * Effort of a request that names none. Sources, checked 2026-11-30: `ReasoningEffort` in the SDKs (none on gpt-5.1, high on gpt-5-pro, medium
 * on all models before gpt-5.1); OpenAI docs, guides/reasoning and the models' pages (none on 5.2 and 5.4, medium on 5.5 and 5.6,
 * high on gpt-5.5-pro). Assumed of GPT-6: medium.
 */
function defaultEffort(name: string): string {
  if (/^gpt-5(\.5)?-pro$/.test(name)) return 'high'
  return /^gpt-5\.[1-4](-mini|-nano)?$/.test(name) ? 'none' : 'medium'
}

/** Source: OpenAI docs, guides/prompt-caching; openai SDK 7.55.0, `prompt_cache_options` and `prompt_cache_retention`; checked 2026-11-21. */
const OPENAI_MODELS: readonly [RegExp, Omit<OpenAIModel, 'id' | 'permissive' | 'effort'>][] = [
  [
    /^gpt-6(\.[12])?-(sol|terra|astra|luna)$/,
    { regime: 'breakpoints', minTokens: 1024, reasoning: true, retention: 'refused', refusesSampling: true },
  ],
  [
    /^gpt-5\.6-(sol|terra|luna)$/,
    { regime: 'breakpoints', minTokens: 1024, reasoning: true, retention: '24h', refusesSampling: false },
  ],
  [
    /^gpt-5\.5(-pro)?$/,
    { regime: 'automatic', minTokens: 1024, reasoning: true, retention: '24h', refusesSampling: false },
  ],
  [
    /^(gpt-5(\.[1-4])?(-mini|-nano|-pro)?|o1|o3|o3-mini|o4-mini)$/,
    { regime: 'automatic', minTokens: 1024, reasoning: true, retention: 'both', refusesSampling: false },
  ],
  [
    /^gpt-4(\.1|o)(-mini|-nano)?$/,
    { regime: 'automatic', minTokens: 1024, reasoning: false, retention: 'both', refusesSampling: false },
  ],
]

/** The model behind an id, dated ids included; `undefined` when the vendor has no such model. */
export function openaiModel(id: string): OpenAIModel | undefined {
  if (id.startsWith(LAB_PREFIX)) {
    return {
      id,
      regime: id.startsWith('lab-old') ? 'automatic' : 'breakpoints',
      minTokens: 1,
      reasoning: false,
      retention: 'both',
      refusesSampling: false,
      effort: 'medium',
      permissive: true,
    }
  }
  const name = id.replace(/-20\d\d-\d\d-\d\d$/, '')
  for (const [pattern, traits] of OPENAI_MODELS)
    if (pattern.test(name)) return { id: name, ...traits, effort: defaultEffort(name), permissive: false }
  return undefined
}

export type GeminiModel = {
  id: string
  implicitMinTokens: number
  explicitMinTokens: number
  handles: boolean
  permissive: boolean
}

/**
 * Source: Gemini API docs, caching ("minimum input token count"); checked 2026-11-21. For handles the answer's own message names
 * the minimum: 1024 was seen for 3.6 and 3.7 Flash in public issue threads; the lab takes 1024 for every model.
 */
const GEMINI_MODELS: readonly [RegExp, number][] = [
  [/^gemini-2\.5-(flash|pro)(-lite)?$/, 2048],
  [/^gemini-3\.1-pro(-preview)?$/, 4096],
  [/^gemini-3(\.[5-8])?-flash(-lite)?$/, 4096],
]

/** The model behind an id; `undefined` when the vendor has no such model. */
export function geminiModel(id: string): GeminiModel | undefined {
  if (id.startsWith(LAB_PREFIX)) {
    return { id, implicitMinTokens: 1, explicitMinTokens: 1, handles: true, permissive: true }
  }
  // Gemini 4 (Argon) caches implicitly only. Source: @ai-sdk/google docs; checked 2026-11-21.
  if (/^gemini-4-argon$/.test(id)) {
    return { id, implicitMinTokens: 4096, explicitMinTokens: 1024, handles: false, permissive: false }
  }
  for (const [pattern, implicitMinTokens] of GEMINI_MODELS) {
    if (pattern.test(id)) return { id, implicitMinTokens, explicitMinTokens: 1024, handles: true, permissive: false }
  }
  return undefined
}
