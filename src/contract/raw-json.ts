import * as z from 'zod'

/**
 * A value that belongs to somebody else (a provider's body, a tool's schema): its exact JSON text. It passes through
 * without being looked at here, so that not a byte of it changes.
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
