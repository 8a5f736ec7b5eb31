import { failureValue } from '../contract/failures.ts'
import { judgeListed } from '../core/handle-owner.ts'
import {
  applyAdopted,
  applyCreated,
  applyGone,
  applyHandleFailure,
  applySeen,
  decideAsked,
  decideHandle,
  mayLive,
  meter,
  rescheduleHandle,
  restartHandle,
  ttlToBuy,
} from '../core/handle.ts'
import type { HandleContext, HandleDecision, HandleState, LiveHandle, SeenHandle } from '../core/handle.ts'
import {
  CLAIM_GRACE_MS,
  dayOf,
  KEEP_TIMEOUT_MS,
  LEASE_WAIT_MS,
  SETTLE_SLACK_MS,
  SLOT_MS,
  WRITE_TIMEOUT_MS,
} from '../core/schedule.ts'
import type { StorageRate } from '../core/storage-meter.ts'
import { HandleDrops } from './handle-drops.ts'
import type {
  HandleFlight,
  HandleLease,
  HandleOutcome,
  HandleRecord,
  HandleRow,
  HandleTarget,
  HandleView,
} from './handle-records.ts'
import type { HandleStore, StoredHandle } from './handle-store.ts'
import { bookCall } from './ledger.ts'
import type { AccountSettings } from './records.ts'
import type { RegistryStore } from './registry-store.ts'

const HANDLES_PER_SWEEP = 2_000
/** Failures in a row until a caller who waits is told. */
const ASKED_AGAIN = 3

export interface HandlePorts {
  grainMs: number
  settings: () => AccountSettings
  pricesOf: (provider: string, model: string, now: number) => { inputNanosPerMTok: number | null; rates: StorageRate[] }
}

/** What somebody who asks wants: a handle at all, one that was confirmed since `freshSinceAt`, or a longer life for it. */
export type HandleWish = { want: 'any' } | { want: 'confirmed'; freshSinceAt: number } | { want: 'renewed' }

/** Messages to be put on the queue, each to arrive after `delayMs`. */
export interface HandleDue {
  target: HandleTarget
  delayMs: number
}

/** A handle of ours that a provider listed. */
export interface ListedOurs extends SeenHandle {
  /** The beginning of the fingerprint that its mark carries. */
  print: string
}

/**
 * The managed caches of one account, from the claim to the settlement: load, decide, commit, as the prefixes' Keeper does.
 * Synchronous, over tables alone; `bench/handles.ts` runs it as it is.
 */
export class HandleKeeper {
  readonly #store: HandleStore
  readonly #ledger: RegistryStore
  readonly #ports: HandlePorts
  readonly drops: HandleDrops

  constructor(store: HandleStore, ledger: RegistryStore, ports: HandlePorts) {
    this.#store = store
    this.#ledger = ledger
    this.#ports = ports
    this.drops = new HandleDrops(store, ledger, ports)
  }

  // The schedule

  /** Claims what falls due up to `horizonAt`, and takes back what was claimed and never came. `ended`: calls given up. */
  sweep(now: number, horizonAt: number): { due: HandleDue[]; ended: number[] } {
    return this.#store.transaction(() => {
      const due: HandleDue[] = []
      const ended: number[] = []
      for (const one of this.#store.due(horizonAt, HANDLES_PER_SWEEP)) {
        let { state, claim } = one
        if (claim !== null && claim.untilAt > now) continue
        if (claim?.lease != null) {
          const failure = failureValue('provider_timeout', 'the caller of the provider never reported back')
          const lost = { failure, permanent: false, retryAfterMs: null, accepted: null }
          state = this.#failed(one, claim.lease, lost, now)
          ended.push(one.k)
        }
        claim = null
        if (state.nextAt !== null && state.nextAt <= horizonAt) {
          const dueAt = Math.max(state.nextAt, now)
          claim = { untilAt: dueAt + CLAIM_GRACE_MS + this.#coarse, lease: null }
          due.push({ target: { of: 'handle', k: one.k }, delayMs: dueAt - now })
        }
        this.#store.save(one.k, state, claim)
      }
      return { due: [...due, ...this.drops.sweep(now, horizonAt)], ended }
    })
  }

  /** A message could not be sent: what it stood for is due again in a moment. */
  release(target: HandleTarget, now: number): void {
    if (target.of === 'drop') return this.drops.release(target.k, now)
    const one = this.#store.load(target.k)
    if (one?.claim != null && one.claim.lease === null)
      this.#store.save(one.k, one.state, { untilAt: now + 2_000, lease: null })
  }

  /** Turns a message into a lease, as late as possible; null when there is nothing to do (any more). */
  begin(target: HandleTarget, now: number): HandleLease | null {
    if (target.of === 'drop') return this.drops.begin(target.k, now)
    return this.#store.transaction(() => {
      const one = this.#store.load(target.k)
      if (one === null || one.claim?.lease != null) return null
      // A message comes up to a slot and a queue's grain early: what is due by then is due now.
      const { nextAt } = one.state
      const early = nextAt !== null && nextAt <= now + SLOT_MS + this.#ports.grainMs
      const context = this.#context(one, now)
      const decision = early ? decideHandle(one.state, context, Math.max(now, nextAt)) : null
      const stopped = one.state.stopped !== null && decision?.do === 'call' && decision.op !== 'delete'
      if (decision?.do === 'call' && !stopped) return this.#lease(one, decision, now)
      this.#store.save(one.k, this.#planned(one, one.state, now), null)
      return null
    })
  }

  #lease(
    one: StoredHandle,
    call: { op: HandleLease['op']; why: string; worstNanos: number | null },
    now: number,
  ): HandleLease {
    const { k, record } = one
    const state = { ...one.state, leases: one.state.leases + 1 }
    const sendBy = now + LEASE_WAIT_MS + 2 * this.#coarse
    const timeoutMs = call.op === 'create' ? WRITE_TIMEOUT_MS : KEEP_TIMEOUT_MS + this.#coarse
    const lease: HandleLease = {
      id: `h${k}.${state.leases}`,
      target: { of: 'handle', k },
      op: call.op,
      provider: record.provider,
      model: record.model,
      fingerprint: record.fingerprint,
      name: call.op === 'create' ? null : (state.live?.name ?? null),
      ttlMs: ttlToBuy(state, record.keep, now),
      sendBy,
      timeoutMs,
      expiresAt: sendBy + timeoutMs + SETTLE_SLACK_MS + this.#coarse,
      reservedNanos: call.worstNanos ?? 0,
      why: call.why,
    }
    this.#store.save(k, state, { untilAt: lease.expiresAt, lease })
    return lease
  }

  /** Writes down what became of a lease. What was found gone is created anew at once, under a fresh lease. */
  settle(outcome: HandleOutcome, now: number): { again: HandleLease | null; ended: boolean } {
    if (outcome.target.of === 'drop') {
      this.drops.settle(outcome, now)
      return { again: null, ended: false }
    }
    return this.#store.transaction(() => {
      const one = this.#store.load(outcome.target.k)
      const lease = one?.claim?.lease ?? null
      if (one === null || lease === null || lease.id !== outcome.lease) {
        this.#strayed(one, outcome, now)
        return { again: null, ended: false }
      }
      const state = this.#settled(one, lease, outcome, now)
      const after: StoredHandle = { ...one, state, claim: null }
      if (outcome.kind === 'gone' && lease.op !== 'delete' && state.stopped === null) {
        const decision = decideHandle(state, this.#context(after, now), now)
        if (decision.do === 'call') return { again: this.#lease(after, decision, now), ended: false }
      }
      this.#store.save(one.k, state, null)
      return { again: null, ended: true }
    })
  }

  #settled(one: StoredHandle, lease: HandleLease, outcome: HandleOutcome, now: number): HandleState {
    const context = this.#context(one, now)
    const before = one.state
    if (outcome.kind === 'failed') return this.#failed(one, lease, outcome, now)
    if (outcome.kind === 'not_sent') return this.#planned(one, before, now)
    if (lease.op === 'create') {
      if (outcome.kind === 'gone' || outcome.seen === null) return this.#planned(one, before, now)
      const change = applyCreated(before, outcome.seen, outcome.startedAt, lease.ttlMs, context, now)
      this.#dropOld(one, before.live, outcome.seen.name, now)
      return this.#done(one, change.state, 'created', outcome.seen.name, change.costNanos, lease.why, now)
    }
    const name = lease.name ?? ''
    if (lease.op === 'delete' || outcome.kind === 'gone') {
      const how = lease.op === 'delete' ? 'ended' : 'lost'
      const { state } = applyGone(before, name, how, context, now)
      return this.#done(one, state, how === 'ended' ? 'deleted' : 'lost', name, 0, lease.why, now)
    }
    if (outcome.seen === null) return this.#planned(one, before, now)
    const { state } = applySeen(before, lease.op, outcome.seen, outcome.startedAt, lease.ttlMs, context, now)
    if (lease.op === 'renew') return this.#done(one, state, 'renewed', name, 0, lease.why, now)
    return this.#booked(one, state, now)
  }

  /** A row in the history, with what it cost and the storage that was counted with it. */
  #done(
    one: StoredHandle,
    state: HandleState,
    event: HandleRow['event'],
    handle: string,
    costNanos: number | null,
    why: string,
    now: number,
  ): HandleState {
    const before = one.state
    const tokens = state.live?.tokens ?? before.live?.tokens ?? null
    const priced = tokens !== null && this.#context(one, now).rates.length > 0
    const storageNanos = priced ? state.storageNanos - before.storageNanos : null
    this.#store.addRow(one.k, { at: now, event, handle, tokens, costNanos, storageNanos, why })
    return this.#booked(one, state, now)
  }

  #failed(
    one: StoredHandle,
    lease: HandleLease,
    failure: Extract<HandleOutcome, { kind: 'failed' }> | Parameters<typeof applyHandleFailure>[2],
    now: number,
  ): HandleState {
    const { state, costNanos } = applyHandleFailure(
      one.state,
      lease.op,
      failure,
      lease.reservedNanos,
      this.#context(one, now),
      now,
    )
    const why = `${lease.op}: ${failure.failure.message}`
    this.#store.addRow(one.k, {
      at: now,
      event: 'failed',
      handle: lease.name,
      tokens: null,
      costNanos,
      storageNanos: 0,
      why,
    })
    return this.#booked(one, state, now, failure.failure.kind)
  }

  /** Books what a change cost, then plans what comes next. */
  #booked(one: StoredHandle, state: HandleState, now: number, failureKind: string | null = null): HandleState {
    const spent = state.creationNanos + state.storageNanos - one.state.creationNanos - one.state.storageNanos
    bookCall(this.#ledger, now, spent, failureKind)
    return this.#planned(one, state, now)
  }

  #planned(one: StoredHandle, state: HandleState, now: number): HandleState {
    const next = rescheduleHandle(state, this.#context(one, now), now)
    if (
      next.stopped !== null &&
      next.stopped !== one.state.stopped &&
      next.stopped.reason !== one.state.stopped?.reason
    ) {
      const { why } = next.stopped
      const handle = next.live?.name ?? null
      this.#store.addRow(one.k, { at: now, event: 'stopped', handle, tokens: null, costNanos: 0, storageNanos: 0, why })
    }
    return next
  }

  /** An answer that came after its lease was given up: a handle that was made nevertheless must not be forgotten. */
  #strayed(one: StoredHandle | null, outcome: HandleOutcome, now: number): void {
    if (outcome.kind !== 'answered' || outcome.seen === null || one === null) return
    const { seen } = outcome
    if (one.state.live?.name === seen.name) return
    this.#drop(one, { ...seen, meteredToAt: Math.min(seen.createdAt, now) }, 'its creation was given up before', now)
  }

  /** A swap leaves the handle before it behind, if that one should still live. */
  #dropOld(one: StoredHandle, old: LiveHandle | null, newName: string, now: number): void {
    if (old === null || old.name === newName || !mayLive(old, now)) return
    this.#drop(one, { ...lastingLongest(old), meteredToAt: now }, 'another one took its place', now)
  }

  #drop(one: StoredHandle, handle: SeenHandle & { meteredToAt: number }, why: string, now: number): void {
    const { provider, model, fingerprint } = one.record
    const { name, tokens, expiresAt, meteredToAt } = handle
    const drop = {
      owner: one.k,
      provider,
      model,
      fingerprint,
      tokens,
      meteredToAt,
      expiresAt,
      tries: 0,
      why,
      claim: null,
    }
    this.#store.insertDrop(name, now, drop)
  }

  // Asking

  /**
   * Somebody wants the handle now. `askedAt`: an answer that came since then was made while they waited, and is theirs too;
   * so is a failure.
   */
  ask(k: number, wish: HandleWish, askedAt: number, now: number): HandleFlight | null {
    return this.#store.transaction(() => {
      const loaded = this.#store.load(k)
      if (loaded === null) return null
      const one = this.#used(loaded, now)
      const view = this.#view(one, now)
      const { live } = one.state
      const alive = live !== null && live.expiresAt > now
      if (alive && wish.want === 'confirmed' && live.seenAt >= wish.freshSinceAt) return { role: 'ready', view }
      if (alive && wish.want === 'any' && live.provenAt >= askedAt) return { role: 'ready', view }
      const failedAt = one.state.lastFailure?.at ?? 0
      if (one.claim?.lease != null) return { role: 'follower', k }
      // A question that got no answer is asked again, for whoever waits; a creation that failed is not paid for twice.
      const limited = one.state.lastFailure?.failure.kind === 'provider_limited'
      const patience = alive && !limited && one.state.stopped === null ? ASKED_AGAIN : 1
      if (failedAt >= askedAt && one.state.failuresInRow >= patience) return { role: 'failed', view }
      if (alive) {
        const op = wish.want === 'renewed' ? ('renew' as const) : ('verify' as const)
        const killed = this.#killed()
        if (op === 'renew' && killed) return { role: 'refused', kind: 'forbidden', why: 'the kill switch is on', view }
        return this.#leader(one, { op, why: op === 'renew' ? 'asked for' : 'somebody asks for it', worstNanos: 0 }, now)
      }
      const asked = wish.want !== 'confirmed'
      if (!asked && one.state.stopped !== null) return { role: 'failed', view }
      const context = this.#context(one, now)
      const decision: HandleDecision = asked
        ? decideAsked(one.state, context, now)
        : decideHandle(one.state, context, now)
      if (decision.do === 'call') return this.#leader(one, decision, now)
      if (decision.do === 'wait') return { role: 'failed', view }
      const kind = decision.reason === 'budget_exhausted' ? ('budget_exhausted' as const) : ('forbidden' as const)
      return { role: 'refused', kind, why: decision.why, view }
    })
  }

  #leader(
    one: StoredHandle,
    call: { op: HandleLease['op']; why: string; worstNanos: number | null },
    now: number,
  ): HandleFlight {
    const lease = this.#lease(one, call, now)
    return { role: 'leader', lease, allowedSecrets: this.#ports.settings().allowedSecrets }
  }

  /** Notes that somebody asks for it, which moves the end of what is kept while it is asked for. */
  #used(one: StoredHandle, now: number): StoredHandle {
    if (now < one.state.lastUsedAt + 1_000) return one
    const state = this.#planned(one, { ...one.state, lastUsedAt: now }, now)
    this.#store.save(one.k, state, one.claim)
    return { ...one, state }
  }

  /** Edits the record or the state because somebody asked, and plans anew. */
  edit(k: number, now: number, change: (one: StoredHandle) => { record: HandleRecord; state: HandleState }): void {
    this.#store.transaction(() => {
      const one = this.#store.load(k)
      if (one === null) return
      const { record, state } = change(one)
      const edited = { ...one, record }
      this.#store.saveRecord(k, record)
      this.#store.save(k, this.#planned(edited, state, now), one.claim)
    })
  }

  restart(k: number, now: number): void {
    this.edit(k, now, ({ record, state }) => ({ record, state: restartHandle(state, now) }))
  }

  /** Forgets a managed cache. Its handle is deleted at the provider under the drop that comes back; null when there is none. */
  remove(k: number, now: number): number | null {
    return this.#store.transaction(() => {
      const one = this.#store.load(k)
      if (one === null) return null
      const { state } = meter(one.state, this.#context(one, now).rates, now)
      bookCall(this.#ledger, now, state.storageNanos - one.state.storageNanos, null, 0)
      const { live } = state
      if (live !== null && mayLive(live, now))
        this.#drop({ ...one, state }, lastingLongest(live), 'deleted by its owner', now)
      this.#store.delete(k)
      return live === null ? null : (this.#store.drops(now, 1_000).find(({ name }) => name === live.name)?.k ?? null)
    })
  }

  /** A switch or a budget changed: everything is planned anew. */
  replanAll(now: number): void {
    for (const { k } of this.#store.before(Number.MAX_SAFE_INTEGER, 1_000_000))
      this.edit(k, now, ({ record, state }) => ({ record, state }))
  }

  // Reconciling

  /**
   * Holds this account's table against what the provider lists. Adopts what the table lacks, drops what is one too many, and
   * looks after what the provider does not list any more. Returns the names that nobody here knows.
   */
  reconcile(provider: string, listed: readonly ListedOurs[], listedAt: number, now: number): string[] {
    return this.#store.transaction(() => {
      const mine = this.#store
        .before(Number.MAX_SAFE_INTEGER, 1_000_000)
        .filter(({ record }) => record.provider === provider)
      const byPrint = new Map(mine.map((one) => [one.record.fingerprint.slice(0, 24), one]))
      const unknown: string[] = []
      for (const handle of listed) {
        const one = byPrint.get(handle.print)
        if (one === undefined) {
          if (!this.#store.dropping(handle.name)) unknown.push(handle.name)
        } else byPrint.set(handle.print, this.#reconcileOne(one, handle, now))
      }
      const names = new Set(listed.map(({ name }) => name))
      for (const one of byPrint.values()) this.#missing(one, names, listedAt, now)
      return unknown
    })
  }

  #reconcileOne(one: StoredHandle, handle: ListedOurs, now: number): StoredHandle {
    const dropping = this.#store.dropping(handle.name)
    const inFlight = one.claim?.lease?.op === 'create'
    const verdict = judgeListed(handle.name, handle.expiresAt, one.state, { inFlight, dropping, now })
    const { name, tokens } = handle
    const row = { at: now, handle: name, tokens, costNanos: 0, storageNanos: 0 }
    if (verdict === 'adopt') {
      const state = applyAdopted(one.state, handle, this.#context(one, now), now)
      this.#store.addRow(one.k, { ...row, event: 'adopted', why: 'it carries our mark, and the table had lost it' })
      bookCall(this.#ledger, now, state.storageNanos - one.state.storageNanos, null, 0)
      const adopted = { ...one, state: this.#planned(one, state, now) }
      this.#store.save(one.k, adopted.state, one.claim)
      return adopted
    }
    if (verdict === 'delete') {
      const why = 'it carries our mark, and another one is in use or none is wanted'
      this.#store.addRow(one.k, { ...row, event: 'orphan', why })
      this.#drop(one, { ...handle, meteredToAt: Math.min(handle.createdAt, now) }, why, now)
    }
    return one
  }

  /** Not listed any more, though it should live: found out now, and not by the next one who asks. */
  #missing(one: StoredHandle, names: ReadonlySet<string>, listedAt: number, now: number): void {
    const { live } = one.state
    if (live === null || names.has(live.name) || live.seenAt >= listedAt || live.expiresAt <= now) return
    if (one.claim?.lease != null) return
    const { state } = applyGone(one.state, live.name, 'lost', this.#context(one, now), now)
    this.#store.save(one.k, this.#done(one, state, 'lost', live.name, 0, 'the provider does not list it', now), null)
  }

  // Reading

  view(k: number, now: number): HandleView | null {
    const one = this.#store.load(k)
    return one === null ? null : this.#view(one, now)
  }

  /** As it is seen: with the storage that it has cost by now. */
  #view(one: StoredHandle, now: number): HandleView {
    const { state } = meter(one.state, this.#context(one, now).rates, now)
    return { k: one.k, record: one.record, state, now, inFlight: one.claim?.lease != null }
  }

  views(beforeK: number, limit: number, now: number): HandleView[] {
    return this.#store.before(beforeK, limit).map((one) => this.#view(one, now))
  }

  #killed(): boolean {
    const settings = this.#ports.settings()
    return settings.killSwitch || settings.globalKillSwitch
  }

  #context({ k, record, state }: Pick<StoredHandle, 'k' | 'record' | 'state'>, now: number): HandleContext {
    const { budgetNanosPerDay } = this.#ports.settings()
    const spent = budgetNanosPerDay === null ? 0 : (this.#ledger.days.load(dayOf(now))?.costNanos ?? 0)
    return {
      keep: record.keep,
      ...this.#ports.pricesOf(record.provider, record.model, now),
      estimatedTokens: record.estimatedTokens,
      killed: this.#killed(),
      accountLeftNanos: budgetNanosPerDay === null ? null : budgetNanosPerDay - spent - this.#ledger.reservedNanos(),
      random: (k * 0.618_033_988_75 + state.failuresInRow * 0.754_877_666) % 1,
    }
  }

  get #coarse(): number {
    return this.#ports.grainMs - 1_000
  }
}

/** With the latest expiry that it may have. */
function lastingLongest(live: LiveHandle): LiveHandle {
  return { ...live, expiresAt: Math.max(live.expiresAt, live.maybeUntilAt ?? 0) }
}
