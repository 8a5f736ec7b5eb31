import { HOUR_MS } from './time.ts'

/** What is remembered of a request: hashes by the part that they are of, in the order in which they are compared, and the turns. */
export type Print = { parts: Record<string, string>; turns: string[] }

type Kept = Print & { at: number }

/** Fingerprints of requests, by account and the id of their answer. */
export class Fingerprints {
  readonly #kept = new Map<string, Kept>()

  save(account: string, id: string, print: Print, at: number): void {
    this.#kept.set(`${account} ${id}`, { ...print, at })
  }

  get(account: string, id: string, now: number): Print | undefined {
    const kept = this.#kept.get(`${account} ${id}`)
    return kept !== undefined && now - kept.at < HOUR_MS ? kept : undefined
  }

  clear(): void {
    this.#kept.clear()
  }
}
