import type { EFFORTS, SettingName, THINKING } from '../contract/neutral-settings.ts'
import { Failure } from '../contract/failure.ts'

/** Settings of the neutral form, as a dialect renders them. Absent: the provider's default. */
export interface NeutralSettings {
  toolChoice?: 'auto' | 'none' | 'required' | { tool: string }
  parallelToolCalls?: boolean
  sampling?: Sampling
  stop?: string[]
  effort?: (typeof EFFORTS)[number]
  thinking?: (typeof THINKING)[number] | { budgetTokens: number }
  responseSchema?: ResponseSchema
}

/** Sampling parameters by their neutral names. They change no prefix. */
export type Sampling = Partial<Record<(typeof SAMPLING)[number], number>>

/** The schema of an answer. `schemaText` is the exact text of the caller. */
export interface ResponseSchema {
  schemaText: string
  name: string
  strict: boolean
  description?: string
}

export const SAMPLING = ['temperature', 'top_p', 'top_k', 'seed', 'presence_penalty', 'frequency_penalty'] as const

/** Settings that no cache compares: where a provider has no member for them, they are left out. */
export const NEVER_COMPARED: ReadonlySet<SettingName> = new Set([...SAMPLING, 'stop'])

/** Failure about a setting that a wire format, a provider or a model has no member for. */
export function unsupportedSetting(field: string, why: string): Failure {
  return new Failure('unsupported', `${field}: ${why}.`, { field })
}

/** Raw JSON text of an object's members, without those that are undefined. Values are raw texts. */
export function rawMembers(members: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(members).flatMap(([name, raw]) => (raw === undefined ? [] : [`${JSON.stringify(name)}:${raw}`]))
}

/** Raw JSON text of an object, without members that are undefined; undefined: none is left. */
export function rawObject(members: Readonly<Record<string, string | undefined>>): string | undefined {
  const list = rawMembers(members)
  return list.length === 0 ? undefined : `{${list.join(',')}}`
}

/** Raw JSON text of a value; undefined where there is none. */
export function rawValue(value: string | number | boolean | readonly string[] | undefined): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value)
}
