import type { TranscriptRow } from '../../lab/index.ts'

/** What the accountant knows of prices: the rows that the administrator sets, and what vendors' pages say of storage. It reckons by itself. */

/** Nano-dollars for a million tokens. */
export interface Rates {
  input: number
  read: number
  /** By retention. */
  write: Record<string, number>
  output: number
}

const USD = 1_000_000_000

/** One price for all models of the law, so that a budget means the same everywhere. */
export const BASE: Rates = {
  input: 5 * USD,
  read: 0.5 * USD,
  write: { '5m': 6.25 * USD, '1h': 10 * USD, '30m': 6.25 * USD, '12h': 10 * USD },
  output: 25 * USD,
}

/** Storage of a million tokens for an hour. Source: ai.google.dev, Gemini API pricing, 3.8 Flash from 2027 on; checked 2026-11-21. */
export const STORAGE = 1 * USD
export const HOUR_MS = 3_600_000

export function times({ input, read, write, output }: Rates, factor: number): Rates {
  const writes = Object.entries(write).map(([name, rate]) => [name, rate * factor])
  return { input: input * factor, read: read * factor, write: Object.fromEntries(writes), output: output * factor }
}

/** The same rates as an override of a provider's facts says them, in dollars. */
export function asOverride({ input, read, write, output }: Rates, models: string[], writes: string[]) {
  const usd = (nanos: number): number => nanos / USD
  // Without any, writing costs what input costs.
  const cache_write = Object.fromEntries(writes.map((name) => [name, usd(write[name] ?? input)]))
  const written = writes.length === 0 ? {} : { cache_write }
  const price = { input: usd(input), cached_input: usd(read), ...written, output: usd(output) }
  return { models: [{ models, prices: [{ ...price, from: '2020-01-01', source: 'the law' }] }] }
}

/** Tokens of a call by what they cost. */
interface Counts {
  uncached: number
  read: number
  written: Record<string, number>
  output: number
}

type Fields = Record<string, unknown>
const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})
const count = (value: unknown): number => (typeof value === 'number' ? value : 0)

/** What a provider's usage counts, as its documents describe it. */
function countsOf({ provider, path }: TranscriptRow, usage: Fields): Counts {
  switch (provider) {
    case 'anthropic': {
      const by = fieldsOf(usage['cache_creation'])
      const written = { '5m': count(by['ephemeral_5m_input_tokens']), '1h': count(by['ephemeral_1h_input_tokens']) }
      const read = count(usage['cache_read_input_tokens'])
      return { uncached: count(usage['input_tokens']), read, written, output: count(usage['output_tokens']) }
    }
    case 'bedrock': {
      const details = (usage['cacheDetails'] ?? []) as { ttl: string; inputTokens: number }[]
      const written = Object.fromEntries(details.map(({ ttl, inputTokens }) => [ttl, inputTokens]))
      const read = count(usage['cacheReadInputTokens'])
      return { uncached: count(usage['inputTokens']), read, written, output: count(usage['outputTokens']) }
    }
    case 'gemini': {
      const read = count(usage['cachedContentTokenCount'])
      const output = count(usage['candidatesTokenCount']) + count(usage['thoughtsTokenCount'])
      return { uncached: count(usage['promptTokenCount']) - read, read, written: {}, output }
    }
    case 'openai': {
      const isChat = path.endsWith('chat/completions')
      const whole = count(usage[isChat ? 'prompt_tokens' : 'input_tokens'])
      const details = fieldsOf(usage[isChat ? 'prompt_tokens_details' : 'input_tokens_details'])
      const read = count(details['cached_tokens'])
      const wrote = count(details['cache_write_tokens'])
      const long = count(fieldsOf(details['cache_write_tokens_details'])['ttl_12h_tokens'])
      const output = count(usage[isChat ? 'completion_tokens' : 'output_tokens'])
      return { uncached: whole - read - wrote, read, written: { '30m': wrote - long, '12h': long }, output }
    }
    default:
      throw new Error(`the accountant does not know ${provider}`)
  }
}

/** Nano-dollars of some tokens, rounded up, in whole numbers of any size. */
function part(tokens: number, rate: number): number {
  return Number((BigInt(tokens) * BigInt(Math.round(rate)) + 999_999n) / 1_000_000n)
}

/** What a provider bills for a call or the creation of a managed cache; null: it counted nothing, and bills nothing. */
export function billOf(row: TranscriptRow, rates: Rates): number | null {
  if (row.usage === null) return null
  const usage = fieldsOf(row.usage)
  if (row.path.includes('cachedContents')) return part(count(usage['totalTokenCount']), rates.input)
  const { uncached, read, written, output } = countsOf(row, usage)
  const writes = Object.entries(written).reduce((sum, [name, tokens]) => sum + part(tokens, rates.write[name] ?? 0), 0)
  return part(uncached, rates.input) + part(read, rates.read) + writes + part(output, rates.output)
}

/** What storage costs from one instant to another. */
export function storageNanos(tokens: number, fromAt: number, toAt: number): number {
  const whole = BigInt(1_000_000 * HOUR_MS)
  return Number((BigInt(tokens) * BigInt(Math.max(0, toAt - fromAt)) * BigInt(STORAGE) + whole - 1n) / whole)
}

/** More than any call with this body may cost: a token for each byte, and all that templates may add. */
export function mostFor(row: TranscriptRow, rates: Rates): number {
  const bytes = Buffer.byteLength(row.body)
  const tokens = Math.ceil(bytes * 1.1) + 2_000
  const dearest = Math.max(rates.input, ...Object.values(rates.write))
  const storage = row.path.includes('cachedContents') ? storageNanos(tokens, 0, 3 * HOUR_MS) : 0
  return part(tokens, dearest) + part(64, rates.output) + storage
}
