import { createHash } from 'node:crypto'

/**
 * The lab's token count: one token for every four bytes of UTF-8, rounded up. No vendor's tokenizer: deterministic, close to
 * English text, and the same for everyone.
 */
export function tokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN)
}

export const BYTES_PER_TOKEN = 4

/** A short name for a content: 32 hex digits of SHA-256. */
export function hashOf(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

/** A prompt that grows block by block: the hash after each block stands for everything up to its end. */
export class PromptChain {
  hash: string
  tokens = 0

  constructor(seed: string) {
    this.hash = hashOf(seed)
  }

  /** Mixes something into the prefix that is no text of the prompt: a setting that is rendered into it. */
  season(text: string): void {
    this.hash = hashOf(`${this.hash}\u0000season\u0000${text}`)
  }

  /** Appends a block. `tokens` says how many it counts, when that differs from the estimate for `text`. */
  push(text: string, tokens: number = tokensOf(text)): void {
    this.hash = hashOf(`${this.hash}\u0000block\u0000${text}`)
    this.tokens += tokens
  }
}

/** A piece of a rendered prompt. Its label tells it apart from the same text elsewhere and counts no tokens. */
export type LabelledText = { label: string; text: string }

/**
 * Prefixes of a rendered prompt at every multiple of `step` tokens from `minTokens` on, for caches that match automatically.
 * `[tokens, hash]`, ascending.
 */
export function stepsOf(
  parts: readonly LabelledText[],
  seed: string,
  step: number,
  minTokens: number,
): [number, string][] {
  const running = createHash('sha256').update(seed)
  const steps: [number, string][] = []
  let done = 0
  let next = step * BYTES_PER_TOKEN
  for (const { label, text } of parts) {
    running.update(`\u0000${label}\u0000`)
    const bytes = Buffer.from(text)
    let from = 0
    while (done + bytes.byteLength - from >= next) {
      running.update(bytes.subarray(from, from + next - done))
      from += next - done
      done = next
      const tokens = done / BYTES_PER_TOKEN
      if (tokens >= minTokens) steps.push([tokens, running.copy().digest('hex').slice(0, 32)])
      next += step * BYTES_PER_TOKEN
    }
    running.update(bytes.subarray(from))
    done += bytes.byteLength - from
  }
  return steps
}
