import * as z from 'zod'

/**
 * Exact JSON text of a value that the API passes on (a provider's body, a tool's schema). It is not parsed here, so that no byte
 * of it changes.
 */
export class RawJson {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export function rawJson(description: string, example: 'object' | 'array' = 'object') {
  return z
    .custom<RawJson>((value) => value instanceof RawJson, { error: 'must be a JSON value' })
    .meta({ type: example, description })
}
