import { fault, readCount, readText, shown, TOKENS_RIGHT } from './entry.ts'
import type { Fields, Reading } from './entry.ts'
import { readTime, TIME_FORMS } from './time.ts'

/** Columns of the plain format with all their accepted names; the first one is the documented name. */
export const PLAIN = {
  prefix: ['prefix', 'prefix_id', 'prefix_key'],
  time: ['time', 'timestamp', 'at', 'started_at', 'start_time'],
  tokens: ['tokens', 'prefix_tokens', 'input_tokens'],
} as const

export function nameIn(fields: Fields, names: readonly string[]): string | null {
  return names.find((name) => Object.hasOwn(fields, name)) ?? null
}

export function isPlain(fields: Fields): boolean {
  return nameIn(fields, PLAIN.prefix) !== null && nameIn(fields, PLAIN.time) !== null
}

/** Plain format: rows of (prefix, time, tokens), with a model and a provider if there are columns for them. */
export function readPlain(fields: Fields): Reading {
  const prefix = readText(fields[nameIn(fields, PLAIN.prefix) ?? ''])
  if (prefix === null) return fault(nameIn(fields, PLAIN.prefix) ?? 'prefix', 'the name of the prefix')
  const timeName = nameIn(fields, PLAIN.time) ?? 'time'
  const at = readTime(fields[timeName])
  if (at === null) return fault(timeName, TIME_FORMS)
  const tokensName = nameIn(fields, PLAIN.tokens) ?? 'tokens'
  const tokens = readCount(fields[tokensName])
  if (tokens === undefined) return fault(tokensName, TOKENS_RIGHT)
  const label = shown(prefix, 'prefix')
  const [provider, model] = [readText(fields['provider']), readText(fields['model'])]
  return { entry: { prefix, label, provider, model, at, tokens, cached: null } }
}
