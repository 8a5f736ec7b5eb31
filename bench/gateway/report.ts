import { cpus } from 'node:os'
import { die } from '../../test/scenarios/random.ts'
import { say } from '../figure.ts'
import { Caller } from './calls.ts'
import { ALL, cpu, memoryOf, QUICK, slowStreams, timesOf, warm } from './measure.ts'
import type { Amounts, Quick, SlowStreams } from './measure.ts'
import { GATEWAY_HELP, gatewayOptions } from './options.ts'
import { addedQuantile, cpuOfCall, cpuPerMegabyte, cpuRatio, isFlat } from './statistics.ts'
import type { Chance, CpuBlock, Estimate } from './statistics.ts'
import { startTargets } from './targets.ts'
import type { Targets, TargetName } from './targets.ts'

const KINDS: readonly Quick[] = ['plain', 'stream']
/** Size for which times and the ratio of CPU are headed. */
const SHORT = 1_000

/** What was measured. */
export interface Measured {
  times: { kind: Quick; bytes: number; of: Record<TargetName, number[]> }[]
  cpu: { kind: Quick; bytes: number; of: Record<TargetName, CpuBlock[]> }[]
  slow: Partial<Record<TargetName, SlowStreams>>
  memoryMb: Partial<Record<TargetName, number[]>>
}

/** What a gateway adds to the bare Worker, by size of the request. */
interface Added {
  added_p50_ms: number
  added_p50_interval: [from: number, to: number]
  added_p95_ms: number
  added_p95_interval: [from: number, to: number]
}

const AIMS = { added_p50_ms: 1, added_p95_ms: 3, cpu_ratio_1kb: 2, cpu_ms_per_mb: 6 }

/** The report of what was measured. The headline is the worse of plain and streamed calls at 1 kB. */
export function reportOf(measured: Measured, chance: Chance) {
  const added = (name: TargetName, kind: Quick, bytes: number): Added => {
    const of = measured.times.find((one) => one.kind === kind && one.bytes === bytes)?.of
    const series = { base: of?.bare ?? [], other: of?.[name] ?? [] }
    const [p50, p95] = [addedQuantile(series, 0.5, chance), addedQuantile(series, 0.95, chance)]
    return {
      added_p50_ms: rounded(p50.value),
      added_p50_interval: spread(p50),
      added_p95_ms: rounded(p95.value),
      added_p95_interval: spread(p95),
    }
  }
  const sizesOf = (name: TargetName): Record<string, Record<string, Added>> =>
    Object.fromEntries(
      KINDS.map((kind) => [
        kind,
        Object.fromEntries(
          measured.times
            .filter((one) => one.kind === kind)
            .map(({ bytes }) => [String(bytes), added(name, kind, bytes)]),
        ),
      ]),
    )
  const worseOf = (key: 'added_p50_ms' | 'added_p95_ms'): Added =>
    KINDS.map((kind) => added('ours', kind, SHORT)).reduce((worse, one) => (one[key] > worse[key] ? one : worse))
  const blocks = (name: TargetName, kind: Quick, bytes: number): CpuBlock[] =>
    measured.cpu.find((one) => one.kind === kind && one.bytes === bytes)?.of[name] ?? []
  const ratios = KINDS.map((kind) => cpuRatio(blocks('bare', kind, SHORT), blocks('ours', kind, SHORT), chance))
  const long = Math.max(...measured.cpu.map(({ bytes }) => bytes))
  const perMegabyte = KINDS.map((kind) => {
    const of = (bytes: number) => ({ bytes, base: blocks('bare', kind, bytes), other: blocks('ours', kind, bytes) })
    return cpuPerMegabyte(of(SHORT), of(long), chance)
  })
  const [p50, p95] = [worseOf('added_p50_ms'), worseOf('added_p95_ms')]
  const ratio = worst(ratios)
  const megabyte = worst(perMegabyte)
  const memoryMb = measured.memoryMb.ours ?? []
  const portkey = Object.fromEntries(KINDS.map((kind) => [kind, added('portkey', kind, SHORT)]))
  const ours = Object.fromEntries(KINDS.map((kind) => [kind, added('ours', kind, SHORT)]))
  return {
    added_p50_ms: p50.added_p50_ms,
    added_p50_interval: p50.added_p50_interval,
    added_p95_ms: p95.added_p95_ms,
    added_p95_interval: p95.added_p95_interval,
    cpu_ratio_1kb: rounded(ratio.value),
    cpu_ratio_1kb_interval: spread(ratio),
    cpu_ms_per_mb: rounded(megabyte.value),
    cpu_ms_per_mb_interval: spread(megabyte),
    memory_flat: isFlat(memoryMb),
    aims: AIMS,
    below_portkey: KINDS.every(
      (kind) =>
        (ours[kind]?.added_p50_ms ?? 0) < (portkey[kind]?.added_p50_ms ?? 0) &&
        (ours[kind]?.added_p95_ms ?? 0) < (portkey[kind]?.added_p95_ms ?? 0),
    ),
    plain: ours['plain'],
    stream: ours['stream'],
    portkey: { plain: portkey['plain'], stream: portkey['stream'] },
    by_bytes: { ours: sizesOf('ours'), portkey: sizesOf('portkey') },
    cpu_ms: Object.fromEntries(
      KINDS.map((kind) => [
        kind,
        Object.fromEntries(
          measured.cpu
            .filter((one) => one.kind === kind)
            .map(({ bytes, of }) => [
              String(bytes),
              Object.fromEntries(
                (['bare', 'ours', 'portkey'] as const).map((name) => {
                  const { value, interval } = cpuOfCall(of[name], chance)
                  return [name, { ms: rounded(value), interval: interval.map(rounded) }]
                }),
              ),
            ]),
        ),
      ]),
    ),
    cpu_ratio: {
      plain: { ratio: rounded(ratios[0]?.value), interval: spread(ratios[0]) },
      stream: { ratio: rounded(ratios[1]?.value), interval: spread(ratios[1]) },
    },
    slow_streams: Object.fromEntries(
      Object.entries(measured.slow).map(([name, one]) => [
        name,
        {
          streams: one.streams,
          first_ms_p50: rounded(one.firstMs.toSorted((a, b) => a - b)[Math.floor(one.firstMs.length / 2)]),
          kilobytes_each: rounded(one.kilobytesEach),
          cpu_ms_each: rounded(one.cpuMsEach),
        },
      ]),
    ),
    memory_mb: Object.fromEntries(Object.entries(measured.memoryMb).map(([name, all]) => [name, all.map(Math.round)])),
  }
}

function worst(all: readonly Estimate[]): Estimate {
  return all.reduce((worse, one) => (one.value > worse.value ? one : worse))
}

function rounded(value: number | undefined): number {
  return Math.round((value ?? Number.NaN) * 1_000) / 1_000
}

function spread(estimate: Estimate | undefined): [from: number, to: number] {
  return [rounded(estimate?.interval[0]), rounded(estimate?.interval[1])]
}

/** Measures everything, in turns. */
async function measure(targets: Targets, amounts: Amounts): Promise<Measured> {
  const callers = targets.all.map((target) => new Caller(target))
  const workers = callers.filter(({ target }) => target.name !== 'direct')
  const measured: Measured = { times: [], cpu: [], slow: {}, memoryMb: {} }
  try {
    say('Warming …')
    await warm(callers, amounts.warmCalls)
    for (const kind of KINDS) {
      for (const [bytes, rounds] of amounts.rounds) {
        say(`Times: ${kind}, ${bytes} bytes, ${rounds} rounds …`)
        measured.times.push({ kind, bytes, of: await timesOf(callers, kind, bytes, rounds) })
      }
      for (const [bytes, blocks, calls] of amounts.blocks) {
        say(`CPU: ${kind}, ${bytes} bytes, ${blocks} blocks of ${calls} calls …`)
        measured.cpu.push({ kind, bytes, of: await cpu(workers, kind, bytes, blocks, calls) })
      }
    }
    for (const caller of workers) {
      const { name } = caller.target
      say(`${amounts.slowStreams} slow streams: ${name} …`)
      measured.slow[name] = await slowStreams(caller, amounts.slowStreams)
    }
    for (const caller of workers.filter(({ target }) => target.name !== 'portkey')) {
      say(`Memory: ${caller.target.name} …`)
      measured.memoryMb[caller.target.name] = await memoryOf(caller, amounts.memory)
    }
    return measured
  } finally {
    for (const caller of callers) caller.close()
  }
}

/** Runs the bench; returns its exit code. */
export async function gatewayBench(args: string[], print: (text: string) => void): Promise<number> {
  const options = gatewayOptions(args)
  if ('help' in options) {
    print(GATEWAY_HELP)
    return 0
  }
  if ('wrong' in options) {
    say(`${options.wrong}\n\n${GATEWAY_HELP}`)
    return 2
  }
  if (process.platform !== 'linux') {
    say('This bench reads the CPU of processes from /proc, which Linux alone has.')
    return 1
  }
  const from = performance.now()
  const targets = await startTargets()
  try {
    const measured = await measure(targets, options.quick ? QUICK : ALL)
    const report = {
      bench: 'gateway',
      quick: options.quick,
      machine: `${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), Node ${process.versions.node}`,
      ...reportOf(measured, die(1).roll),
      setting: {
        ours: "a token in the path, the caller's own key, learn: observe, queue and bookings in the same process",
        portkey: `@portkey-ai/gateway ${targets.portkey.version} on Node, in a folder of its own (bench/gateway/portkey, npm ci)`,
        portkey_pins: targets.portkey.pins,
        why_pins: 'without them it answers every call with 500 (TypeError: immutable)',
        portkey_first_byte: 'it waits 25 ms before the first event of each stream',
        provider: 'a mock that answers at once; everything on one machine, so that no network is in the figures',
        intervals: '95 % of resamplings; times are differences of quantiles in one run',
      },
      took_s: Math.round((performance.now() - from) / 1_000),
    }
    print(options.json ? `${JSON.stringify(report)}\n` : `${JSON.stringify(report, null, 2)}\n`)
    return 0
  } finally {
    await targets.stop()
  }
}
