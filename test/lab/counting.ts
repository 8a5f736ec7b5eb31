import { arrayAt, member } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'
import type { ProviderName } from './dialect.ts'

/**
 * How many tokens a prompt is billed for. By default a token is four bytes, for everyone. A rule makes a provider bill otherwise: a token for
 * each byte, or those of a vocabulary, with what chat templates may add, or a multiple of it.
 */

export const COUNTED_PER = ['four_bytes', 'byte', 'vocabulary'] as const

export type CountingRule = {
  provider?: ProviderName
  model?: string
  per: (typeof COUNTED_PER)[number]
  /** Tokens added to each request, to each message (system prompts among them), to each tool, and to all requests with tools. */
  added?: { request: number; message: number; tool: number; any_tool: number }
  /** Multiple of all that; default 1. */
  times?: number
  /** By how much a free count is too low: a share of it, and some tokens. Default: not at all. */
  free_count_low?: { share: number; tokens: number }
  /** What every free count answers, whatever the prompt: a provider that lies. */
  free_count?: number
}

/** The tokens of a text in some vocabulary. */
export type Vocabulary = (text: string) => number

const FOUR_BYTES = 4

/** One call's way of counting: its rule, and what its request adds. */
type Counting = { rule: CountingRule; vocabulary: Vocabulary; extra: number }

const withoutVocabulary: Vocabulary = () => {
  throw new Error('this lab was made without a vocabulary')
}
const DEFAULT: Counting = { rule: { per: 'four_bytes' }, vocabulary: withoutVocabulary, extra: 0 }

let current = DEFAULT

/** Runs synchronous work whose prompts count so. */
function countingSo<Result>(counting: Counting, work: () => Result): Result {
  const before = current
  current = counting
  try {
    return work()
  } finally {
    current = before
  }
}

/** Tokens of a text of an answer, and of prompts by default: one for every four bytes of UTF-8, rounded up. */
export function tokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / FOUR_BYTES)
}

/** Tokens that a piece of a prompt is billed for. */
export function promptTokensOf(text: string): number {
  const { rule, vocabulary } = current
  const { per, times = 1 } = rule
  if (per === 'four_bytes') return times === 1 ? tokensOf(text) : Math.ceil(tokensOf(text) * times)
  return Math.ceil((per === 'byte' ? Buffer.byteLength(text) : vocabulary(text)) * times)
}

/** Tokens of the request that stand for no text. */
export function addedTokens(): number {
  return current.extra
}

/** Bytes of these texts for one token, on average. */
export function bytesPerToken(texts: readonly string[]): number {
  if (current === DEFAULT) return FOUR_BYTES
  const tokens = texts.reduce((sum, text) => sum + promptTokensOf(text), 0)
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / Math.max(1, tokens)
}

/** What a free count says of a prompt that is billed for so many tokens. */
export function freeCount(billed: number): number {
  const { free_count_low: low, free_count: told } = current.rule
  if (told !== undefined) return told
  return low === undefined ? billed : Math.max(1, Math.ceil((billed - low.tokens) / (1 + low.share)))
}

/** The rules in force: the last that fits a call counts. */
export class CountingRules {
  #rules: CountingRule[] = []
  readonly #vocabulary: Vocabulary

  constructor(vocabulary: Vocabulary = withoutVocabulary) {
    this.#vocabulary = vocabulary
  }

  add(rule: CountingRule): void {
    this.#rules.push(rule)
  }

  list(): readonly CountingRule[] {
    return this.#rules
  }

  restore(rules: CountingRule[]): void {
    this.#rules = rules
  }

  clear(): void {
    this.#rules = []
  }

  /** Runs what serves a call. `times`: this call alone is billed so many times as much. */
  during<Result>(
    { provider, model, body }: { provider: ProviderName; model: string; body: JsonObject },
    times: number,
    work: () => Result,
  ): Result {
    const found = this.#rules.findLast(
      (rule) =>
        (rule.provider === undefined || rule.provider === provider) &&
        (rule.model === undefined || rule.model === model),
    )
    if (found === undefined && times === 1) return work()
    const rule = { per: 'four_bytes' as const, ...found, times: (found?.times ?? 1) * times }
    const extra = Math.ceil(addedTo(body, rule.added) * rule.times)
    return countingSo({ rule, vocabulary: this.#vocabulary, extra }, work)
  }
}

function addedTo(body: JsonObject, added: CountingRule['added']): number {
  if (added === undefined) return 0
  const listed = ['messages', 'input', 'contents'].reduce((sum, name) => sum + arrayAt(body, name).length, 0)
  const system = ['system', 'instructions', 'systemInstruction', 'system_instruction']
  const messages = listed + (system.some((name) => member(body, name) !== undefined) ? 1 : 0)
  const tools = [...arrayAt(body, 'tools'), ...arrayAt(member(body, 'toolConfig'), 'tools')].reduce<number>(
    (sum, tool) => sum + functionsOf(tool),
    0,
  )
  return added.request + added.message * messages + added.tool * tools + (tools > 0 ? added.any_tool : 0)
}

/** Functions that an entry of a list of tools declares: Gemini lists several in one. */
function functionsOf(tool: JsonNode): number {
  const declared = member(tool, 'functionDeclarations') ?? member(tool, 'function_declarations')
  return Array.isArray(declared) ? declared.length : 1
}
