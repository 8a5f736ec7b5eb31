import { createHash } from 'node:crypto'
import { addedTokens, bytesPerToken, promptTokensOf } from './counting.ts'

/** A short name for a content: 32 hex digits of SHA-256. */
export function hashOf(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

/** A prompt that grows block by block: the hash after each block stands for everything up to its end. */
export class PromptChain {
  hash: string
  tokens = addedTokens()

  constructor(seed: string) {
    this.hash = hashOf(seed)
  }

  /** Mixes something into the prefix that is no text of the prompt: a setting that is rendered into it. */
  season(text: string): void {
    this.hash = hashOf(`${this.hash}\u0000season\u0000${text}`)
  }

  /** Appends a block. `tokens` says how many it counts, when that differs from the estimate for `text`. */
  push(text: string, tokens: number = promptTokensOf(text)): void {
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
  const perToken = bytesPerToken(parts.map(({ text }) => text))
  let done = 0
  let tokens = step
  let next = Math.ceil(tokens * perToken)
  for (const { label, text } of parts) {
    running.update(`\u0000${label}\u0000`)
    const bytes = Buffer.from(text)
    let from = 0
    while (done + bytes.byteLength - from >= next) {
      running.update(bytes.subarray(from, from + next - done))
      from += next - done
      done = next
      if (tokens >= minTokens) steps.push([tokens, running.copy().digest('hex').slice(0, 32)])
      tokens += step
      next = Math.ceil(tokens * perToken)
    }
    running.update(bytes.subarray(from))
    done += bytes.byteLength - from
  }
  return steps
}
