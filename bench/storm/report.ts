import { say } from '../figure.ts'
import { billedNanos, mostNanos, STORED_NANOS_PER_TOKEN_MS } from './cost.ts'
import { keepEvidence } from './evidence.ts'
import type { Finding } from './evidence.ts'
import { flatness } from './flat.ts'
import { growthOf } from './folders.ts'
import type { FolderGrowth } from './folders.ts'
import { wireOf } from './bodies.ts'
import { unwantedIn } from './logs.ts'
import type { LogFinding } from './logs.ts'
import { forgotten, leasesUsedTwice, lost, unheld } from './judge.ts'
import { STORM_HELP, stormOptions } from './options.ts'
import type { StormOptions } from './options.ts'
import { reconcile } from './reconcile.ts'
import { runStorm } from './run.ts'
import type { StormRecord } from './run.ts'
import {
  chargedTwice,
  handlesForgotten,
  storageUnbilled,
  storageUnshown,
  totalsUnexplained,
  unanswered,
  vagueCaches,
} from './traffic/judge.ts'

/** Longest list of single findings in a report. */
const MOST_FINDINGS = 10
/** Longest body of a call that never arrived: what a bot may send of its conversation. */
const MOST_BYTES = 24_000

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
  /** Billed calls that belong to no prefix, message or managed cache of the storm. */
  calls_of_nothing: number
  messages_lost: number
  messages_charged_twice: number
  handles_forgotten: number
  storage_unbilled: number
  /** Lines of the product's logs with a failure that nobody caught, a tenant, a key or a word of a prompt. */
  unwanted_log_lines: number
  memory_flat: boolean
  storage_flat: boolean
  memory_mb: [second_third: number, last_third: number] | null
  storage_mb: [second_third: number, last_third: number]
  storage_bytes_per_call: number
  memory_mb_per_hour: number
  storage_mb_per_hour: number
  /** Folders of the state and of logs, by virtual hour. */
  folders: Record<string, FolderGrowth>
  log_bytes: number
  messages: { sent: number; taken: number; calls: number }
  managed_caches: { caches: number; handles: number; creations: number }
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
  findings: Finding[]
  /** File with all that was seen of them; null: nothing was found. */
  evidence: string | null
}

/** A report without its file yet, all its findings, and what was in the logs. */
export interface Judged {
  report: StormReport
  findings: Finding[]
  logged: LogFinding[]
}

/** Judges what a storm left behind. */
export function reportOf(options: StormOptions, record: StormRecord): Judged {
  const { witness, registered, prefixes, jumps, disturbances, bookings, endedAt, messages, caches } = record
  const calls = witness.calls()
  const bytes = new Map(prefixes.map(({ mark, bytes: of }) => [mark, of]))
  for (const { mark, bytes: of } of calls)
    if (!bytes.has(mark) || mark.startsWith('storm-bot')) bytes.set(mark, Math.max(of, bytes.get(mark) ?? 0))
  const cutBetween = (fromAt: number, untilAt: number): boolean =>
    disturbances.some((one) => one.fromAt <= untilAt && one.untilAt >= fromAt)
  const books = reconcile({
    calls,
    bookings,
    billed: (call, usage) => billedNanos(call.wire, usage, call.at),
    most: (mark, at) => mostNanos(wireOf(mark), bytes.get(mark) ?? MOST_BYTES, at),
    cutBetween,
  })
  const notHeld = unheld({ calls, said: witness.said, jumps, cutBetween })
  const stored = {
    handles: witness.handles,
    caches,
    nanosPerTokenMs: STORED_NANOS_PER_TOKEN_MS,
    movedMs: jumps.reduce((sum, { byMs }) => sum + Math.abs(byMs), 0),
    vague: vagueCaches(calls, cutBetween),
  }
  const totals = totalsUnexplained(record.books.beyondEntries, caches) + record.books.botsBeyondEntriesNanos
  const found = {
    lost: lost(registered, witness.counts),
    untrue: notHeld.filter(({ excuse }) => excuse === null),
    twice: leasesUsedTwice(calls),
    forgotten: forgotten(witness.rest, calls, endedAt),
    unanswered: unanswered(messages, record.bots),
    chargedTwice: chargedTwice(calls),
    handles: handlesForgotten({ handles: witness.handles, caches, calls, now: endedAt, cutBetween }),
    storage: [...storageUnbilled(stored), ...storageUnshown(stored)],
    unknown: witness.unknown,
    logged: unwantedIn(record.said, record.secrets),
  }
  const findings: Finding[] = [
    ...found.lost.map((mark) => ({ found: 'lost', mark })),
    ...found.untrue.map((one) => ({ found: 'untrue', ...one })),
    ...found.twice.map(({ mark, lease, at }) => ({ found: 'lease used twice', mark, lease, at })),
    ...found.forgotten.map((one) => ({ found: 'forgotten', ...one })),
    ...found.unanswered.map((one) => ({ found: 'message lost', ...one })),
    ...found.chargedTwice.map(({ mark, at, seq }) => ({ found: 'message charged twice', mark, at, seq })),
    ...found.handles.map((one) => ({ found: 'handle forgotten', ...one })),
    ...found.storage.map((one) => ({ found: 'storage unbilled', ...one })),
    ...books.differences.map((one) => ({ found: 'difference', ...one })),
    ...found.unknown.map(({ seq, at, path }) => ({ found: 'call of nothing', seq, at, path })),
    ...found.logged.map((one) => ({ found: 'unwanted log line', ...one })),
  ]
  const flat = flatness(record.samples)
  const warm = witness.said.filter(({ state }) => state === 'warm' || state === 'expiring')
  const report: StormReport = {
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
    totals_minus_bookings_nanos: totals,
    transcript_gaps: witness.gaps,
    calls_of_nothing: found.unknown.length,
    messages_lost: found.unanswered.length,
    messages_charged_twice: found.chargedTwice.length,
    handles_forgotten: found.handles.length,
    storage_unbilled: found.storage.length,
    unwanted_log_lines: found.logged.length,
    memory_flat: flat.memoryFlat,
    storage_flat: flat.storageFlat,
    memory_mb: flat.memoryMb,
    storage_mb: flat.storageMb,
    storage_bytes_per_call: flat.storageBytesPerCall,
    memory_mb_per_hour: flat.memoryMbPerHour,
    storage_mb_per_hour: flat.storageMbPerHour,
    folders: growthOf(record.folders),
    log_bytes: record.said.length,
    messages: {
      sent: messages.length,
      taken: messages.filter(({ turn }) => turn !== null).length,
      calls: calls.filter(({ mark }) => mark.startsWith('storm-bot')).length,
    },
    managed_caches: {
      caches: caches.length,
      handles: witness.handles.length,
      creations: calls.filter(({ mark }) => mark.startsWith('storm-cache')).length,
    },
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
    findings: findings.slice(0, MOST_FINDINGS),
    evidence: null,
  }
  return { report, findings, logged: found.logged }
}

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1
  return counts
}

/** Whether the product kept all that the storm judges. */
export function isHeld(report: StormReport): boolean {
  const { lost: gone, untrue: lies, leases_used_twice: twice, forgotten: left, transcript_gaps: gaps } = report
  const { ledger_minus_transcript_nanos: money, totals_minus_bookings_nanos: totals } = report
  const { messages_lost: unsaid, messages_charged_twice: charged, unwanted_log_lines: logged } = report
  const { handles_forgotten: handles, storage_unbilled: storage, calls_of_nothing: strays } = report
  const ofPrefixes = [gone, lies, twice, left, gaps, money, totals]
  const isSilent = [...ofPrefixes, unsaid, charged, logged, handles, storage, strays].every((figure) => figure === 0)
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
  const report = await runStorm(options, async (record, ask) => {
    const { report: judged, findings, logged } = reportOf(options, record)
    return { ...judged, evidence: await keepEvidence(options, findings, logged, record, ask) }
  })
  process.stdout.write = write
  print(options.json ? `${JSON.stringify(report)}\n` : `${JSON.stringify(report, null, 2)}\n`)
  return isHeld(report) ? 0 : 1
}
