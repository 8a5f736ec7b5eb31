import { anthropicSettings, LAB_PREFIX } from './models.ts'
import type { AnthropicModel } from './models.ts'

export type BedrockModel = Pick<
  AnthropicModel,
  'thinking' | 'thinksByDefault' | 'effort' | 'sampling' | 'prefill' | 'forcedTools' | 'permissive'
> & { id: string; minTokens: number; hour: boolean }

/**
 * Smallest prefix that is cached, by model: AWS's own table, which differs from Anthropic's. Source: AWS docs,
 * bedrock/latest/userguide/prompt-caching; checked 2026-11-21.
 */
const MIN_TOKENS: Record<string, number> = {
  'claude-fable-5': 512,
  'claude-fable-5-1': 512,
  'claude-mythos-5': 512,
  'claude-opus-5': 512,
  'claude-opus-5-5': 512,
  'claude-opus-4-8': 1024,
  'claude-sonnet-5': 1024,
  'claude-sonnet-4-6': 1024,
  'claude-sonnet-4-5': 1024,
  'claude-3-7-sonnet': 1024,
  'claude-opus-4-7': 4096,
  'claude-opus-4-6': 4096,
  'claude-opus-4-5': 4096,
  'claude-haiku-4-5': 4096,
  'claude-mythos-preview': 4096,
}

const PLAIN = {
  thinking: ['enabled', 'disabled', 'adaptive', 'between_tools'],
  thinksByDefault: false,
  effort: 'high',
  sampling: true,
  prefill: true,
  forcedTools: true,
}

/**
 * The model behind an id, a profile of regions, or an ARN; `undefined` when there is none. An ARN of an application's own profile
 * does not say which model it stands for: the lab takes a Claude of 1,024 tokens. Nova caches for five minutes only.
 */
export function bedrockModel(id: string): BedrockModel | undefined {
  const name = id.startsWith('arn:') ? (id.split('/').at(-1) ?? '') : id
  const own = { id: name, permissive: false }
  if (name.startsWith(LAB_PREFIX)) return { ...own, ...PLAIN, minTokens: 1, hour: true, permissive: true }
  if (id.startsWith('arn:') && id.includes('application-inference-profile/')) {
    return { ...own, ...PLAIN, minTokens: 1024, hour: true }
  }
  const model = name.replace(/^(global|us-gov|us|eu|apac|au|jp)\./, '')
  if (/^amazon\.nova-(premier|pro|lite|micro)(-v\d+(:\d+)?)?$/.test(model)) {
    return { ...own, ...PLAIN, minTokens: 1024, hour: false }
  }
  const [, claude] = /^anthropic\.(claude-.+?)(-20\d{6})?(-v\d+(:\d+)?)?$/.exec(model) ?? []
  const minTokens = claude === undefined ? undefined : MIN_TOKENS[claude]
  if (claude === undefined || minTokens === undefined) return undefined
  return { ...own, ...anthropicSettings(claude), minTokens, hour: claude !== 'claude-3-7-sonnet' }
}
