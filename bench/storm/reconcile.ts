/**
 * The ledger beside the transcript. Every call that the provider processed has one booking, of exactly what its answer told, times the price
 * row. Where the product cannot have seen a whole and possible answer, the booking is its worst case: at least what the provider billed, and
 * at most a write of a token a byte. Where a process ended between the lease and the request, that worst case stands for a call that the lab
 * never received. Everything else counts as a difference, each call by itself, so that none makes up for another.
 */
import { groupBy, UNSEEN, UNTOLD } from './judge.ts'
import type { StormCall } from './judge.ts'

/** One booking of a call, with its instant in the lab's clock. */
export interface Booking {
  mark: string
  at: number
  costNanos: number | null
  why: string
}

export interface Books {
  calls: readonly StormCall[]
  bookings: readonly Booking[]
  billed: (call: StormCall, usage: unknown) => number | null
  /** The most that a call for a prefix can be charged. */
  most: (mark: string, at: number) => number
  /** Whether a process or an object may have ended while a call was at work. */
  cutBetween: (fromAt: number, untilAt: number) => boolean
}

export interface Reconciled {
  differenceNanos: number
  /** Bookings of exactly what the answer told. */
  exact: number
  /** Bookings at their worst case of calls whose answer was not seen, or not possible. */
  atWorst: number
  /** Bookings at their worst case of calls that never arrived. */
  neverArrived: number
  differences: { mark: string; at: number; nanos: number; why: string }[]
}

/** Farthest that a call and its booking are apart: a lease that expires is booked at its end. */
const APART_MS = 720_000
/** Time within which an answer that was received is booked. */
const BOOKED_WITHIN_MS = 60_000

export function reconcile(books: Books): Reconciled {
  const result: Reconciled = { differenceNanos: 0, exact: 0, atWorst: 0, neverArrived: 0, differences: [] }
  const callsOf = groupBy(books.calls, ({ mark }) => mark)
  const bookingsOf = groupBy(books.bookings, ({ mark }) => mark)
  for (const mark of new Set([...callsOf.keys(), ...bookingsOf.keys()]))
    reconcileOne(mark, callsOf.get(mark) ?? [], bookingsOf.get(mark) ?? [], books, result)
  return result
}

function reconcileOne(
  mark: string,
  calls: readonly StormCall[],
  bookings: readonly Booking[],
  { billed, most, cutBetween }: Books,
  result: Reconciled,
): void {
  const differ = (at: number, nanos: number, why: string): void => {
    if (nanos === 0) return
    result.differenceNanos += Math.abs(nanos)
    result.differences.push({ mark, at, nanos, why })
  }
  const open = new Set(calls)
  const nearest = (at: number, fits: (call: StormCall) => boolean): StormCall | null => {
    let found: StormCall | null = null
    for (const call of open)
      if (Math.abs(call.at - at) <= APART_MS && fits(call))
        if (found === null || Math.abs(call.at - at) < Math.abs(found.at - at)) found = call
    return found
  }
  const trueNanos = (call: StormCall): number => billed(call, call.usage) ?? 0
  // What is billed beyond the bound can be booked by nobody who was not told. The storm's factor is the lab's, two.
  const leastNanos = (call: StormCall): number =>
    call.faults.includes('overbilled') ? Math.floor(trueNanos(call) / 2) : trueNanos(call)
  const left = bookings
    .toSorted((a, b) => a.at - b.at)
    .filter((booking) => {
      const same = nearest(
        booking.at,
        (call) => call.usage !== null && billed(call, call.told) === booking.costNanos && booking.costNanos !== null,
      )
      if (same === null) return true
      open.delete(same)
      result.exact += 1
      return false
    })
  const unseen = ({ at, finishedAt, faults, status }: StormCall): boolean =>
    faults.some((kind) => UNSEEN.has(kind) || UNTOLD.has(kind)) ||
    // A managed cache that its provider failed to name may stand.
    (mark.startsWith('storm-cache-') && (status ?? 500) >= 500) ||
    cutBetween(at - BOOKED_WITHIN_MS, (finishedAt ?? at + APART_MS) + BOOKED_WITHIN_MS)
  for (const { at, costNanos, why } of left) {
    const cost = costNanos ?? 0
    const isWorst = costNanos !== null && costNanos <= most(mark, at)
    // A call that was billed comes before one that was refused: that one needs no booking.
    const call =
      nearest(at, (one) => one.usage !== null && unseen(one) && cost >= leastNanos(one)) ??
      nearest(at, (one) => one.usage === null && unseen(one)) ??
      nearest(at, (one) => one.usage !== null)
    if (call !== null) {
      open.delete(call)
      const nanos = trueNanos(call)
      if (isWorst && unseen(call) && cost >= leastNanos(call)) result.atWorst += 1
      else differ(at, cost - nanos, `booked ${cost}, billed ${nanos} (${call.faults.join(', ') || 'no fault'}): ${why}`)
    } else if (isWorst && cutBetween(at - APART_MS, at + APART_MS)) result.neverArrived += 1
    else differ(at, cost === 0 ? 0 : cost, `booked ${cost} for no call: ${why}`)
  }
  for (const call of open) differ(call.at, -trueNanos(call), `not booked (${call.faults.join(', ') || 'no fault'})`)
}
