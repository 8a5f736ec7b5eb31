/** What is kept of a storm's findings, so that each can be looked into when the storm is long over. */
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { groupBy } from './judge.ts'
import type { LogFinding } from './logs.ts'
import type { StormOptions } from './options.ts'
import type { AskMore, StormRecord } from './run.ts'

/** Most prefixes, bots and managed caches of which everything is kept, for each kind of finding. */
const MOST_MARKS = 20

export interface Finding {
  found: string
  /** What it is about: the mark of a prefix, a managed cache or a message; absent: all. */
  mark?: string
}

/**
 * Writes everything that was seen of the prefixes with findings to a file, with the seed and the product's own histories, and returns the
 * file's path. Null: nothing was found, and nobody asked for the file.
 */
export async function keepEvidence(
  options: StormOptions,
  findings: readonly Finding[],
  logged: readonly LogFinding[],
  record: StormRecord,
  ask: AskMore,
): Promise<string | null> {
  const { witness, bookings, disturbances, jumps, said } = record
  if (findings.length === 0 && options.evidence === null) return null
  const kinds = groupBy(findings, ({ found }) => found)
  const marks = new Set(
    [...kinds.values()].flatMap((some) => some.flatMap(({ mark }) => mark ?? []).slice(0, MOST_MARKS)),
  )
  const calls = witness.calls()
  const ofThem = <Row extends { mark: string }>(rows: readonly Row[]): Row[] =>
    rows.filter(({ mark }) => marks.has(mark))
  const path =
    options.evidence ?? join(tmpdir(), `pilotlight-storm-${options.seed}-${options.prefixes}-${record.endedAt}.json`)
  const evidence = {
    options,
    findings,
    logged,
    disturbances,
    jumps,
    evictions: calls.filter(({ faults }) => faults.includes('evict')).map(({ at, mark }) => ({ at, mark })),
    transcript: witness.rowsOf(marks),
    bookings: ofThem(bookings),
    said: ofThem(witness.said),
    rest: ofThem(witness.rest),
    messages: ofThem(record.messages),
    caches: ofThem(record.caches).map((one) => ({ ...one, known: [...one.known] })),
    handles: witness.handles,
    product: await ask(marks),
    // The beginning of what was logged, and its end.
    log: said.length < 200_000 ? said : `${said.slice(0, 100_000)}\n…\n${said.slice(-100_000)}`,
  }
  writeFileSync(path, JSON.stringify(evidence, null, 1))
  return path
}
