/** Usage object of a provider's answer. */
export type UsageObject = Record<string, unknown>

/**
 * Finds the usage in the text of an answer; null when there is none. A stream may send it in parts (Anthropic's `message_start` has
 * the input tokens, `message_delta` the output tokens). Parts are merged; a later value replaces an earlier one.
 */
export function usageIn(text: string, isStream: boolean): UsageObject | null {
  if (!isStream) return usageOf(readObject(text))
  let all: UsageObject | undefined
  for (const line of text.split('\n')) {
    // One or two events of hundreds contain it, so only those are parsed.
    if (!line.startsWith('data:') || !line.includes('"usage')) continue
    const found = usageOf(readObject(line.slice(5)))
    if (found !== null) all = { ...all, ...found }
  }
  return all ?? null
}

/** Finds the usage by its names in all formats: `usage` (also in `response` and `message`), or Gemini's `usageMetadata`. */
function usageOf(answer: UsageObject | null): UsageObject | null {
  if (answer === null) return null
  for (const holder of [answer, answer['response'], answer['message']]) {
    const object = asObject(holder)
    const usage = asObject(object?.['usage']) ?? asObject(object?.['usageMetadata'])
    if (usage !== null) return usage
  }
  return null
}

function readObject(text: string): UsageObject | null {
  try {
    return asObject(JSON.parse(text))
  } catch {
    return null
  }
}

function asObject(value: unknown): UsageObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as UsageObject) : null
}
