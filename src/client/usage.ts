/** Usage object of an answer, in the shape of its provider or of a framework. */
export type UsageObject = Record<string, unknown>

/**
 * Finds the usage in the text of an answer; null when there is none. A stream may send it in parts (Anthropic's `message_start` has
 * the input tokens, `message_delta` the output tokens). Parts are merged.
 */
export function usageIn(text: string, isStream: boolean): UsageObject | null {
  if (!isStream) return usageOf(readObject(text))
  let all: UsageObject | null = null
  for (const line of text.split('\n')) {
    // One or two events of hundreds contain it, so only those are parsed.
    if (!line.startsWith('data:') || !/usage/i.test(line)) continue
    const found = usageOf(readObject(line.slice(5)))
    if (found !== null) all = all === null ? found : merged(all, found)
  }
  return all
}

/** A later value replaces an earlier one, but a null says nothing, and a zero does not take a count back. */
function merged(earlier: UsageObject, later: UsageObject): UsageObject {
  const all = { ...earlier }
  for (const [name, value] of Object.entries(later)) {
    const known = all[name]
    const [inside, more] = [asObject(known), asObject(value)]
    if (inside !== null && more !== null) all[name] = merged(inside, more)
    else if (known === undefined || known === null) all[name] = value
    else if (value !== null && !(value === 0 && typeof known === 'number')) all[name] = value
  }
  return all
}

/** Members of an event, or of one of its members, that are a usage object. */
const NAMES = ['usage', 'usageMetadata', 'usage_metadata', 'totalUsage']

/** Members of an event in which it stands: Responses, Anthropic, Groq, LangChain. */
const HOLDERS = ['response', 'message', 'x_groq', 'data', 'chunk', 'output']

const DEEPEST = 3

/** Finds the usage by its names in all formats. */
function usageOf(answer: UsageObject | null, depth = 0): UsageObject | null {
  if (answer === null) return null
  const own = NAMES.map((name) => asObject(answer[name])).find((usage) => usage !== null)
  // llama.cpp counts the cached tokens beside the usage.
  const timings = asObject(answer['timings'])
  if (own != null) return timings === null ? own : { ...own, timings }
  if (depth === DEEPEST) return null
  const choices = answer['choices']
  const inner = [...HOLDERS.map((name) => answer[name]), Array.isArray(choices) ? choices[0] : undefined]
  return inner.map((holder) => usageOf(asObject(holder), depth + 1)).find((usage) => usage !== null) ?? null
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
