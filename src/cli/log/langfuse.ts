import { digest, fault, readCount, readFields, readText, shown, TOKENS_RIGHT } from './entry.ts'
import type { Fields, Reading } from './entry.ts'
import { beginning } from './system.ts'
import { readTime, TIME_FORMS } from './time.ts'

/**
 * Observations of Langfuse: the blob storage export (snake_case) and the public API and the UI's export (camelCase)
 * (https://langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields, read 2026-11-21).
 * Its kinds of usage do not overlap: `input` leaves out what was read from or written to the cache.
 */
export function isLangfuse(fields: Fields): boolean {
  return ('traceId' in fields || 'trace_id' in fields) && ('startTime' in fields || 'start_time' in fields)
}

export function readLangfuse(fields: Fields): Reading {
  const of = (camel: string): unknown => fields[camel] ?? fields[snake(camel)]
  const type = readText(of('type'))
  if (type !== null && type !== 'GENERATION') return { leftOut: 'observations that are not generations' }
  if (readText(of('level')) === 'ERROR') return { leftOut: 'failed calls' }
  const name = 'startTime' in fields ? 'startTime' : 'start_time'
  const at = readTime(fields[name])
  if (at === null) return fault(name, TIME_FORMS)
  const usage = readFields(of('usageDetails')) ?? readFields(of('usage')) ?? {}
  let input: number | null = null
  let cached = 0
  for (const [kind, value] of Object.entries(usage)) {
    if (!/^(?:input|cache|prompt_tokens)/.test(kind) || /cost/i.test(kind)) continue
    const count = readCount(value)
    if (count === undefined) return fault('usageDetails' in fields ? 'usageDetails' : 'usage_details', TOKENS_RIGHT)
    input = (input ?? 0) + (count ?? 0)
    if (kind.includes('cache')) cached += count ?? 0
  }
  const [prefix, label] = prefixOf(of)
  const model = readText(of('providedModelName')) ?? readText(of('model'))
  return { entry: { prefix, label, provider: null, model, at, tokens: input === 0 ? null : input, cached } }
}

/** Identifies the prefix by the prompt's name and version in Langfuse, else by the exported system prompt, else by the observation's name. */
function prefixOf(of: (camel: string) => unknown): [prefix: string, label: string] {
  const prompt = readText(of('promptName'))
  if (prompt !== null) {
    const version = readText(of('promptVersion'))
    const spelled = version === null ? prompt : `${prompt}@${version}`
    return [`prompt ${spelled}`, shown(spelled, 'prompt')]
  }
  const system = beginning(of('input'), of('toolDefinitions'))
  if (system !== null) return [`system ${system}`, `system ${system.slice(0, 8)}`]
  const name = readText(of('name'))
  if (name === null) return ['', 'all requests']
  return [`name ${digest(name)}`, shown(name, 'name')]
}

function snake(camel: string): string {
  return camel.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
