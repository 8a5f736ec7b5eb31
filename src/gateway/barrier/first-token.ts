import type { Framing } from '../../usage/find.ts'

/**
 * Events that come before a model's first token. OpenAI sends its own before it reads the prompt, Anthropic `message_start` beside the first token.
 * Source: streaming guides of OpenAI and Anthropic, checked 2026-12-01.
 */
const BEFORE = /^(?:response\.(?:created|in_progress|queued)|message_start|ping|error)$/

/** Kept of one line: enough for its name. */
const MOST_CHARS = 200

/** Tells when an answer's first token is here: the first event that is none of those before it. Of any other answer it is the first byte. */
export class FirstToken {
  readonly #isEvents: boolean
  #line = ''
  #event: string | null = null
  #isHere = false

  constructor(framing: Framing) {
    this.#isEvents = framing === 'events'
  }

  /** Takes the next bytes. True from the first token on. */
  add(bytes: Uint8Array): boolean {
    if (this.#isHere || bytes.byteLength === 0) return this.#isHere
    if (!this.#isEvents) return (this.#isHere = true)
    const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1').split(/\r?\n/)
    for (const [index, piece] of lines.entries()) {
      this.#line = (this.#line + piece).slice(0, MOST_CHARS)
      if (index === lines.length - 1) break
      this.#isHere ||= this.#tells(this.#line)
      this.#line = ''
    }
    return this.#isHere
  }

  /** Whether a whole line belongs to an event with output. */
  #tells(line: string): boolean {
    const [, name, value = ''] = /^(event|data): ?(.*)$/.exec(line) ?? []
    if (name === 'event') this.#event = value.trim()
    if (line === '') this.#event = null
    if (name !== 'data') return false
    const event = this.#event ?? /"type" *: *"([^"]*)"/.exec(value)?.[1] ?? ''
    return !BEFORE.test(event) && !/^\{ *"error"/.test(value)
  }
}
