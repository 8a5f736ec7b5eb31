import { setTimeout as pause } from 'node:timers/promises'
import { die } from '../../test/scenarios/random.ts'
import { requestBody } from './bodies.ts'
import type { Kind } from './bodies.ts'
import type { Caller } from './calls.ts'
import type { CpuBlock } from './statistics.ts'
import { cpuMsOf, megabytesOf } from './targets.ts'
import type { TargetName } from './targets.ts'

/** What an answer comes as, but for slow streams. */
export type Quick = Exclude<Kind, 'slow'>

/** How much is measured. */
export interface Amounts {
  warmCalls: number
  /** Rounds of times by bytes of the request; in each, one call to each target. */
  rounds: readonly (readonly [bytes: number, rounds: number])[]
  /** Blocks of CPU by bytes of the request, and calls in each. */
  blocks: readonly (readonly [bytes: number, blocks: number, calls: number])[]
  slowStreams: number
  /** The same load again and again, for memory: times, and calls. */
  memory: readonly [times: number, calls: number]
}

export const ALL: Amounts = {
  warmCalls: 2_000,
  rounds: [
    [1_000, 600],
    [10_000, 150],
    [100_000, 100],
    [1_000_000, 60],
  ],
  blocks: [
    [1_000, 12, 200],
    [10_000, 6, 100],
    [100_000, 8, 30],
    [1_000_000, 8, 15],
  ],
  slowStreams: 1_000,
  memory: [9, 400],
}

export const QUICK: Amounts = {
  warmCalls: 10,
  rounds: [
    [1_000, 12],
    [1_000_000, 2],
  ],
  blocks: [
    [1_000, 2, 5],
    [1_000_000, 2, 2],
  ],
  slowStreams: 20,
  memory: [3, 5],
}

/** What a gateway does after an answer is done within this time, but for what waits for a full message. */
const SETTLED_MS = 150

/** Numbers of the questions: no two calls have the same body. */
let question = 0
export function body(kind: Kind, bytes: number): string {
  return requestBody(kind, bytes, question++)
}

/** Lets every isolate compile what it will run. */
export async function warm(callers: readonly Caller[], calls: number): Promise<void> {
  for (let n = 0; n < calls; n++) {
    for (const caller of callers)
      if (caller.target.name !== 'portkey' || n < calls / 4)
        await caller.send(body(n % 2 === 0 ? 'plain' : 'stream', 1_000))
  }
}

/** Times of calls in turns, in an order that is drawn anew for each round: to the first byte of a stream, and to the end of another answer. */
export async function timesOf(
  callers: readonly Caller[],
  kind: Quick,
  bytes: number,
  rounds: number,
): Promise<Record<TargetName, number[]>> {
  const found: Record<TargetName, number[]> = { direct: [], bare: [], ours: [], portkey: [] }
  const { roll } = die(bytes + rounds)
  for (let n = 0; n < rounds; n++) {
    const order = callers.map((caller) => ({ caller, at: roll() })).toSorted((a, b) => a.at - b.at)
    for (const { caller } of order) {
      const text = body(kind, bytes)
      const { firstMs, wholeMs } = await caller.send(text)
      found[caller.target.name].push(kind === 'stream' ? firstMs : wholeMs)
    }
  }
  return found
}

/** CPU of blocks of calls in turns. What a process does between its blocks counts to the next one: nothing of it is left out. */
export async function cpu(
  callers: readonly Caller[],
  kind: Quick,
  bytes: number,
  blocks: number,
  calls: number,
): Promise<Record<TargetName, CpuBlock[]>> {
  const found: Record<TargetName, CpuBlock[]> = { direct: [], bare: [], ours: [], portkey: [] }
  const before = new Map(callers.map(({ target }) => [target.name, cpuMsOf(target.pid)]))
  for (let n = 0; n < blocks; n++) {
    for (const caller of callers) {
      const { name, pid } = caller.target
      // Each of its streams waits, which takes time and no CPU.
      const own = name === 'portkey' && kind === 'stream' ? Math.ceil(calls / 4) : calls
      for (let call = 0; call < own; call++) await caller.send(body(kind, bytes))
      await pause(SETTLED_MS)
      const now = cpuMsOf(pid)
      found[name].push({ cpuMs: now - (before.get(name) ?? now), calls: own })
      before.set(name, now)
    }
  }
  return found
}

/** What many slow streams at once take. */
export interface SlowStreams {
  streams: number
  /** Time to the first byte. */
  firstMs: number[]
  /** Kilobytes (10³ bytes) of memory of one, at most. */
  kilobytesEach: number
  cpuMsEach: number
}

/** Opens streams at the same time, each of which lasts for seconds, and reads all of them to the end. */
export async function slowStreams(caller: Caller, streams: number): Promise<SlowStreams> {
  const { pid } = caller.target
  const [memory, used] = [megabytesOf(pid), cpuMsOf(pid)]
  let most = memory
  const watch = setInterval(() => (most = Math.max(most, megabytesOf(pid))), 100)
  try {
    const told = await Promise.all(Array.from({ length: streams }, () => caller.send(body('slow', 1_000))))
    return {
      streams,
      firstMs: told.map(({ firstMs }) => firstMs),
      kilobytesEach: ((most - memory) * 1_000) / streams,
      cpuMsEach: (cpuMsOf(pid) - used) / streams,
    }
  } finally {
    clearInterval(watch)
  }
}

/** Megabytes of memory after the same load, again and again. */
export async function memoryOf(caller: Caller, [times, calls]: Amounts['memory']): Promise<number[]> {
  const megabytes: number[] = []
  for (let n = 0; n < times; n++) {
    for (let call = 0; call < calls; call++)
      await caller.send(body(call % 2 === 0 ? 'plain' : 'stream', call % 20 === 0 ? 1_000_000 : 10_000))
    megabytes.push(megabytesOf(caller.target.pid))
  }
  return megabytes
}
