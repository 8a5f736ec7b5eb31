import { restart } from '../../../core/events/restarted.ts'
import { isWarm } from '../../../core/prefix/state.ts'
import { waitsFor } from '../probes/superseded.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/** Most older versions that wait for the newest to be warm: each new version rewrites the records of all that wait. */
export const MOST_WAITING = 16

/** Names point at their newest version. The version before is drained once the newest is warm, unless it holds another name. */
export class Versions {
  readonly #store: RegistryStore
  readonly #scheduler: ProbeScheduler

  constructor(store: RegistryStore, scheduler: ProbeScheduler) {
    this.#store = store
    this.#scheduler = scheduler
  }

  /** Gives a name to a prefix. The prefix that held the name is superseded. */
  assign(k: number, name: string | null, now: number): void {
    if (name === null) return
    const { prefixes } = this.#store
    const holder = prefixes.name(name)
    const record = prefixes.record(k)
    if (record === null || holder?.k === k) return
    const version = (holder?.version ?? 0) + 1
    prefixes.saveName(name, k, version)
    const { newer: _, ...rest } = record
    prefixes.saveRecord(k, { ...rest, name, version, superseded: false })
    if (record.superseded) {
      const why = `this body was registered again and is now the current version of its name, version ${version}`
      this.#scheduler.applyTransition(k, now, (state) => ({
        state: restart(state, now),
        rows: [{ at: now, type: 'decision', decision: 'current', why }],
      }))
    }
    if (holder === null || prefixes.namesOf(holder.k).length > 0) return
    this.#supersede([holder.k, ...this.#waiting(holder.k)], k, now)
  }

  /**
   * Releases the names of a prefix that is about to be deleted. Where it was never warm, the version before it gets them back.
   */
  release(k: number, now: number): void {
    const [before, ...others] = this.#waiting(k)
    const names = this.#store.prefixes.namesOf(k)
    const old = before === undefined ? null : this.#store.prefixes.record(before)
    const gone = this.#store.prefixes.record(k)
    if (before === undefined || old === null || gone === null || names.length === 0) return
    for (const name of names) this.#store.prefixes.saveName(name, before, gone.version)
    const { newer: _, ...rest } = old
    this.#store.prefixes.saveRecord(before, { ...rest, superseded: false })
    const why = `version ${gone.version} of its name was deleted before it was warm, so this version is current again`
    this.#scheduler.applyTransition(before, now, (state) => ({
      state: { ...state, generation: state.generation + 1 },
      rows: [{ at: now, type: 'decision', decision: 'current', why }],
    }))
    this.#supersede(others, before, now)
  }

  /** Makes older versions wait for `k` to be warm. */
  #supersede(olders: readonly number[], k: number, now: number): void {
    const { prefixes } = this.#store
    const record = prefixes.record(k)
    if (record === null) return
    const others = olders.filter((older) => older !== k)
    const all = [...new Set([...others, ...(record.olders ?? [])])].filter((older) => older !== k)
    const waiting = this.#chooseWaiting(all, now)
    if (all.length > 0) prefixes.saveRecord(k, { ...record, olders: waiting })
    for (const older of all) if (!waiting.includes(older)) this.#stopWaiting(older, now)
    for (const older of others) {
      if (!waiting.includes(older)) continue
      const old = prefixes.record(older)
      if (old === null) continue
      const superseded: PrefixRecord = {
        ...old,
        superseded: true,
        newer: { k, takenAt: old.newer?.takenAt ?? now, warmAt: null },
      }
      delete superseded.olders
      prefixes.saveRecord(older, superseded)
      const why = `version ${record.version} took its name; this version keeps its plan until version ${record.version} is warm`
      this.#scheduler.applyTransition(older, now, (state) => ({
        state: { ...state, generation: state.generation + 1 },
        rows: [{ at: now, type: 'decision', decision: 'newer_version', why }],
      }))
    }
    this.#scheduler.drainOlders(k, now)
  }

  /** At most `MOST_WAITING` versions: the warm ones first, then the newest. */
  #chooseWaiting(olders: readonly number[], now: number): number[] {
    if (olders.length <= MOST_WAITING) return [...olders]
    const warm = olders.filter((older) => {
      const state = this.#store.states.load(older)
      return state !== null && isWarm(state, now)
    })
    const chosen = new Set([...new Set([...warm, ...olders])].slice(0, MOST_WAITING))
    return olders.filter((older) => chosen.has(older))
  }

  /** Drains a version that waits no longer: it is kept only while real requests come for it. */
  #stopWaiting(k: number, now: number): void {
    const { prefixes } = this.#store
    const old = prefixes.record(k)
    if (old?.newer === undefined || old.newer.warmAt !== null) return
    prefixes.saveRecord(k, { ...old, newer: { ...old.newer, warmAt: now, passed: true } })
    this.#scheduler.replan(k, now, (state) => ({ ...state, generation: state.generation + 1 }))
  }

  /** Versions that wait for `k` to be warm, the newest first. */
  #waiting(k: number): number[] {
    const { prefixes } = this.#store
    return (prefixes.record(k)?.olders ?? []).filter((older) => {
      const old = prefixes.record(older)
      return old !== null && waitsFor(old, k)
    })
  }
}
