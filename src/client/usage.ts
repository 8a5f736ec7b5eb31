/** What an answer of a provider says that it used: plain, or as server-sent events. */
export type UsageObject = Record<string, unknown>

/**
 * The usage in the text of an answer; null where there is none. A stream tells it in parts (Anthropic's `message_start` has
 * what was read, `message_delta` what was put out): later parts add to earlier ones, and replace what both have.
 */
export function usageIn(text: string, isStream: boolean): UsageObject | null {
  if (!isStream) return usageOf(readObject(text))
  let all: UsageObject | undefined
  for (const line of text.split('\n')) {
    // Of hundreds of events one or two tell it.
    if (!line.startsWith('data:') || !line.includes('"usage')) continue
    const found = usageOf(readObject(line.slice(5)))
    if (found !== null) all = { ...all, ...found }
  }
  return all ?? null
}

/** By name, wherever the formats put it: `usage` (also in `response` and `message`), or Gemini's `usageMetadata`. */
function usageOf(answer: UsageObject | null): UsageObject | null {
  if (answer === null) return null
  const inside = [answer, answer['response'], answer['message']]
  for (const holder of inside) {
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
