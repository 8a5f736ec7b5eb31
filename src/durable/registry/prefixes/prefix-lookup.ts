import { readFailure } from '../../../contract/failure.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import { callerHeaders } from '../../../providers/prefix/caller-headers.ts'
import { besideOf } from '../../../providers/prefix/identity.ts'
import { cardById, entryModel } from '../../../providers/registry.ts'
import { unpack } from '../../../runtime/bytes.ts'
import { entryName } from '../../../registration/identity.ts'
import { lookupsOf, storedOutline } from '../../../registration/lookup.ts'
import type { Candidate, Sought } from '../../../registration/lookup.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** Prefixes of older versions whose lookups are made in one go, and the bytes of their bodies. */
const MADE_AT_ONCE = 64
const BYTES_AT_ONCE = 4 * 1024 * 1024

/** Candidates whose records are read for one request. */
const MOST_CANDIDATES = 24

/** Finds prefixes from hashes of a request's body. No prefix is read that shares none of them. */
export class PrefixLookup {
  readonly #store: RegistryStore
  readonly #factsOf: (provider: string, model: string, now: number) => ModelFacts
  readonly #canOpen: () => boolean
  /** Prefixes with a lower number may have no lookups yet. A copy of the setting. */
  #below: number | null = null

  /** `canOpen`: whether bodies can be opened now. */
  constructor(
    store: RegistryStore,
    factsOf: (provider: string, model: string, now: number) => ModelFacts,
    canOpen: () => boolean = () => true,
  ) {
    this.#store = store
    this.#canOpen = canOpen
    this.#factsOf = factsOf
  }

  /** The prefix of an entry: by its fingerprint, else by its lookup, which ignores how a body spells it. Null: there is none. */
  keyOf({ fingerprint, lookups = [] }: Pick<PrefixRecord, 'fingerprint' | 'lookups'>, now: number): number | null {
    const known = this.#store.prefixes.keyOf('fingerprint', fingerprint)
    const [entry] = lookups
    if (known !== null || entry === undefined) return known
    this.make(now)
    return this.newest([entry]).get(entry) ?? null
  }

  /** The newest prefix of each hash. */
  newest(hashes: readonly string[]): Map<string, number> {
    return this.#store.lookups.newest(hashes)
  }

  /**
   * The prefix that a request without one comes closest to: one with the same content under another key, model or provider, or one of the
   * same provider and model that shares sentences with it.
   */
  nearest(sought: Sought): Candidate | null {
    const { prefixes, lookups } = this.#store
    const known = lookups.newest(sought.contents)
    const longest = sought.contents.find((hash) => known.has(hash))
    const same = longest === undefined ? [] : (lookups.keys([longest]).get(longest) ?? [])
    const likeness = new Map<number, number>()
    const sampled = longest === undefined ? lookups.keys(sought.samples) : new Map<string, number[]>()
    for (const ks of sampled.values()) for (const k of ks) likeness.set(k, (likeness.get(k) ?? 0) + 1)
    const similar = [...likeness].toSorted(([a, one], [b, other]) => other - one || b - a).map(([k]) => k)
    const records = [...same, ...similar].slice(0, MOST_CANDIDATES).flatMap((k) => prefixes.record(k) ?? [])
    const ranked =
      longest === undefined
        ? records.filter((record) => record.provider === sought.provider && isSameModel(record, sought))
        : records.toSorted((a, b) => agreement(b, sought) - agreement(a, sought))
    const [record] = ranked
    if (record === undefined) return null
    const { id, name, provider, model, credential, cacheKey, estimatedTokens, place = null, headers = {} } = record
    const sameContent = longest !== undefined
    return { id, name, provider, model, credential, cacheKey, estimatedTokens, place, headers, sameContent }
  }

  /** Whether every prefix can be found by its hashes. */
  get isWhole(): boolean {
    return this.#cursor() === 0
  }

  /** Makes lookups of some prefixes that an older version registered. Without the key of their bodies it leaves them for later. */
  make(now: number): void {
    let below = this.#cursor()
    if (below === 0 || !this.#canOpen()) return
    this.#store.transaction(() => {
      let bytes = 0
      const ks = this.#store.prefixes.keysBefore(below, MADE_AT_ONCE)
      for (const k of ks) {
        const record = this.#store.prefixes.record(k)
        if (record !== null && record.lookups === undefined) {
          this.#store.prefixes.saveLookups(k, { ...record, lookups: this.#lookupsOf(k, record, now) })
          bytes += record.bodyBytes
        }
        below = k
        if (bytes > BYTES_AT_ONCE) break
      }
      if (ks.length === 0) below = 0
      this.#store.saveSetting('lookups_below', String(below))
    })
    this.#below = below
  }

  #cursor(): number {
    this.#below ??= Number(this.#store.setting('lookups_below') ?? Number.MAX_SAFE_INTEGER)
    return this.#below
  }

  #lookupsOf(k: number, record: PrefixRecord, now: number): string[] {
    const {
      provider,
      model,
      credential,
      credentialGeneration: generation = 1,
      cacheKey,
      headers,
      place = null,
    } = record
    const card = cardById(provider)
    if (card === undefined) return []
    try {
      const body = this.#store.prefixes.body(k)
      if (body === null) return []
      const beside = besideOf(callerHeaders(card, headers), place)
      const outline = storedOutline(card, { text: unpack(body), model, cacheKey }, this.#factsOf(provider, model, now))
      return lookupsOf(outline, {
        entryFor: (head) =>
          entryName(head, { provider, model: entryModel(card, model), credential, generation, cacheKey, beside }),
      })
    } catch (thrown) {
      // A body that this version cannot read, or whose key was forgotten, is found by its id alone.
      if (readFailure(thrown) === null) throw thrown
      return []
    }
  }
}

/** How much of what decides about an entry agrees: the provider counts most. */
function agreement(record: PrefixRecord, sought: Sought): number {
  if (record.provider !== sought.provider) return 0
  if (!isSameModel(record, sought)) return 1
  return record.cacheKey === sought.cacheKey ? 3 : 2
}

function isSameModel({ provider, model }: PrefixRecord, sought: Sought): boolean {
  return entryModel(cardById(provider) ?? {}, model) === entryModel(cardById(sought.provider) ?? {}, sought.model)
}
