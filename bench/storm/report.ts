import { writeFileSync } from 'node:fs'
import { say } from '../figure.ts'
import { billedNanos, mostNanos } from './cost.ts'
import { flatness } from './flat.ts'
import { forgotten, leasesUsedTwice, lost, unheld } from './judge.ts'
import { STORM_HELP, stormOptions } from './options.ts'
import type { StormOptions } from './options.ts'
import { reconcile } from './reconcile.ts'
import { runStorm } from './run.ts'
import type { StormRecord } from './run.ts'

/** Longest list of single findings in a report. */
const MOST_FINDINGS = 10

export interface StormReport {
  bench: 'storm'
  seed: number
  prefixes: number
  virtual_hours: number
  rate: number
  lost: number
  untrue: number
  leases_used_twice: number
  forgotten: number
  ledger_minus_transcript_nanos: number
  /** The days' totals against the sum of the single bookings. */
  totals_minus_bookings_nanos: number
  transcript_gaps: number
  memory_flat: boolean
  storage_flat: boolean
  memory_mb: [second_third: number, last_third: number] | null
  storage_mb: [second_third: number, last_third: number]
  storage_bytes_per_call: number
  calls: number
  calls_with_a_lease: number
  bookings: { exact: number; at_worst: number; never_arrived: number }
  answers_about_warmth: {
    warm: number
    held: number
    /** What could not be known, by cause. */
    excused: Record<string, number>
    all: number
    unanswered_looks: number
  }
  stopped_at_the_end: Record<string, number>
  happened: Record<string, number>
  faults_met: Record<string, number>
  findings: unknown[]
}

/** Judges what a storm left behind. */
export function reportOf(options: StormOptions, record: StormRecord): StormReport {
  const { witness, registered, prefixes, jumps, disturbances, bookings, endedAt } = record
  const calls = witness.calls()
  const bytes = new Map(prefixes.map((one) => [one.mark, one]))
  const cutBetween = (fromAt: number, untilAt: number): boolean =>
    disturbances.some((one) => one.fromAt <= untilAt && one.untilAt >= fromAt)
  const books = reconcile({
    calls,
    bookings,
    billed: (call, usage) => billedNanos(call.wire, usage, call.at),
    most: (mark, at) => {
      const prefix = bytes.get(mark)
      return prefix === undefined ? 0 : mostNanos(prefix.wire, prefix.bytes, at)
    },
    cutBetween,
  })
  const notHeld = unheld({ calls, said: witness.said, jumps, cutBetween })
  const found = {
    lost: lost(registered, witness.counts),
    untrue: notHeld.filter(({ excuse }) => excuse === null),
    twice: leasesUsedTwice(calls),
    forgotten: forgotten(witness.rest, calls, endedAt),
  }
  const booked = bookings.reduce((sum, { costNanos }) => sum + (costNanos ?? 0), 0)
  const flat = flatness(record.samples)
  const warm = witness.said.filter(({ state }) => state === 'warm' || state === 'expiring')
  return {
    bench: 'storm',
    seed: options.seed,
    prefixes: options.prefixes,
    virtual_hours: options.hours,
    rate: options.rate,
    lost: found.lost.length,
    untrue: found.untrue.length,
    leases_used_twice: found.twice.length,
    forgotten: found.forgotten.length,
    ledger_minus_transcript_nanos: books.differenceNanos,
    totals_minus_bookings_nanos: record.totalsNanos - booked,
    transcript_gaps: witness.gaps,
    memory_flat: flat.memoryFlat,
    storage_flat: flat.storageFlat,
    memory_mb: flat.memoryMb,
    storage_mb: flat.storageMb,
    storage_bytes_per_call: flat.storageBytesPerCall,
    calls: calls.length,
    calls_with_a_lease: calls.filter(({ lease }) => lease !== null).length,
    bookings: { exact: books.exact, at_worst: books.atWorst, never_arrived: books.neverArrived },
    answers_about_warmth: {
      warm: warm.length,
      held: warm.filter(({ held }) => held).length,
      excused: tally(notHeld.flatMap(({ excuse }) => (excuse === null ? [] : [excuse]))),
      all: witness.said.length,
      unanswered_looks: witness.unanswered,
    },
    stopped_at_the_end: tally(witness.rest.flatMap(({ stopped }) => (stopped === null ? [] : [stopped]))),
    happened: record.happened,
    faults_met: tally(calls.flatMap(({ faults }) => faults)),
    findings: [
      ...found.lost.map((mark) => ({ found: 'lost', mark })),
      ...found.untrue.map((one) => ({ found: 'untrue', ...one })),
      ...found.twice.map(({ mark, lease, at }) => ({ found: 'lease used twice', mark, lease, at })),
      ...found.forgotten.map((one) => ({ found: 'forgotten', ...one })),
      ...books.differences.map((one) => ({ found: 'difference', ...one })),
    ].slice(0, MOST_FINDINGS),
  }
}

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1
  return counts
}

/** Everything that was seen of the prefixes with findings. */
function evidenceOf({ findings }: StormReport, { witness, bookings, disturbances, jumps }: StormRecord): unknown {
  const marks = new Set(findings.map((one) => (one as { mark: string }).mark))
  const calls = witness.calls()
  const ofThem = <Row extends { mark: string }>(rows: readonly Row[]): Row[] =>
    rows.filter(({ mark }) => marks.has(mark))
  return {
    disturbances,
    jumps,
    evictions: calls.filter(({ faults }) => faults.includes('evict')).map(({ at, mark }) => ({ at, mark })),
    calls: ofThem(calls),
    bookings: ofThem(bookings),
    said: ofThem(witness.said),
    rest: ofThem(witness.rest),
  }
}

/** Whether the product kept all that the storm judges. */
export function isHeld(report: StormReport): boolean {
  const { lost: gone, untrue: lies, leases_used_twice: twice, forgotten: left, transcript_gaps: gaps } = report
  const { ledger_minus_transcript_nanos: money, totals_minus_bookings_nanos: totals } = report
  const isSilent = [gone, lies, twice, left, gaps, money, totals].every((figure) => figure === 0)
  // Without leases on calls, none could be seen used twice.
  return isSilent && report.calls_with_a_lease > 0 && report.memory_flat && report.storage_flat
}

/** Runs the command and returns its exit code. */
export async function stormBench(args: string[], print: (text: string) => void): Promise<number> {
  const options = stormOptions(args)
  if ('help' in options) {
    print(STORM_HELP)
    return 0
  }
  if ('wrong' in options) {
    say(`${options.wrong}\n${STORM_HELP}`)
    return 2
  }
  // Tools that the bench starts print to stdout too.
  const write = process.stdout.write.bind(process.stdout)
  process.stdout.write = ((text: string | Uint8Array) => process.stderr.write(text)) as typeof process.stdout.write
  const record = await runStorm(options)
  process.stdout.write = write
  const report = reportOf(options, record)
  if (options.evidence !== null) writeFileSync(options.evidence, JSON.stringify(evidenceOf(report, record), null, 1))
  print(options.json ? `${JSON.stringify(report)}\n` : `${JSON.stringify(report, null, 2)}\n`)
  return isHeld(report) ? 0 : 1
}
