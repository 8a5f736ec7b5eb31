import { Failure } from '../contract/failure.ts'
import { areSealed, openBytes, printOf, sealBytes } from '../runtime/sealed-bytes.ts'
import type { BodySeals } from '../runtime/sealed-bytes.ts'

/** Fingerprint of the key under which this database is sealed, as it stands in the database; null: nothing was sealed yet. */
export interface StoredPrint {
  load(): string | null
  save(print: string): void
  /** Nothing of what is stored is to be opened any more. */
  clear(): void
}

/**
 * The key that seals what an object stores of prompts. Another object keeps it, so that no copy of this object's database holds it; here it
 * is in memory alone. `fetch` asks for it, and says under which key the database is sealed: the one who answers refuses another.
 */
export class BodyKey implements BodySeals {
  readonly #fetch: (print: string | null) => Promise<string>
  readonly #stored: StoredPrint
  #key: string | null = null
  #asked: Promise<string> | null = null

  constructor(fetch: (print: string | null) => Promise<string>, stored: StoredPrint) {
    this.#fetch = fetch
    this.#stored = stored
  }

  /** Resolves once the key is here. Callers who ask at once share one question; after a failure the next one asks again. */
  async ready(): Promise<void> {
    while (this.#key === null) {
      const asked = (this.#asked ??= this.#fetch(this.#stored.load()))
      try {
        const key = await asked
        // Meanwhile it may have been forgotten: then this is the former one.
        if (this.#asked === asked) this.#keep(key)
      } finally {
        if (this.#asked === asked) this.#asked = null
      }
    }
  }

  #keep(key: string): void {
    if (this.#stored.load() !== printOf(key)) this.#stored.save(printOf(key))
    this.#key = key
  }

  get isHere(): boolean {
    return this.#key !== null
  }

  /** Forgets the key in memory. The next caller asks for the one that is valid then. */
  forget(): void {
    this.#key = null
    this.#asked = null
  }

  /** Replaces the key: it is forgotten here at once, then elsewhere by `forgetElsewhere`. Until then nobody gets a key. */
  async replace(forgetElsewhere: () => Promise<void>): Promise<void> {
    this.#key = null
    this.#asked = forgetElsewhere().then(() => {
      this.#stored.clear()
      return this.#fetch(null)
    })
    await this.ready()
  }

  /** The key, for an object of the same account. Call `ready` before. */
  get key(): string {
    if (this.#key === null) throw new Failure('internal', 'the key of the bodies was not fetched')
    return this.#key
  }

  seal(bytes: Uint8Array, place: string): Uint8Array {
    return sealBytes(bytes, this.key, place)
  }

  open(bytes: Uint8Array, place: string): Uint8Array {
    return areSealed(bytes) ? openBytes(bytes, this.key, place) : bytes
  }
}
