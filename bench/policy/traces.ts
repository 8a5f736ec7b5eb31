import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { addRequests } from '../../src/core/demand/request-rate.ts'
import type { RequestRate } from '../../src/core/demand/request-rate.ts'

/** Idle gaps of one stream, in seconds. The last one ended with the observation, not with a request. */
export interface Stream {
  name: string
  family: string
  /** Origin of the trace by its header: a repository or a data set. */
  source: string
  requests: number
  starts: number[]
  lengths: number[]
  lastStart: number
  lastLength: number
  /** Recent request rate at the begin of each idle gap, that of the last gap at the end. */
  counted: RequestRate[]
}

/** Unusable trace. The message names the file, the line and the correct form. */
export class TraceError extends Error {}

/** Reads every `*.csv` and `*.csv.gz` of a folder, in the order of their names. Each is a family. */
export function readTraces(folder: string): Stream[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new TraceError(`--traces: there is no folder ${folder}`)
  const files = readdirSync(folder)
    .filter((name) => /\.csv(\.gz)?$/.test(name))
    .toSorted()
  if (files.length === 0) throw new TraceError(`--traces: no *.csv or *.csv.gz in ${folder}`)
  return files.flatMap((file) => {
    const bytes = readFileSync(join(folder, file))
    let text: string
    try {
      text = file.endsWith('.gz') ? gunzipSync(bytes).toString('utf8') : bytes.toString('utf8')
    } catch {
      throw new TraceError(`${file}: not a readable gzip file`)
    }
    return parseTrace(text, basename(file).replace(/\.csv(\.gz)?$/, ''))
  })
}

/** Parses one file: `# <stream> end=<seconds> …` for each stream, then `stream,t,d,n` for each run of requests. */
export function parseTrace(text: string, family: string): Stream[] {
  const ends = new Map<string, { end: number; source: string }>()
  const runs = new Map<string, [number, number, number][]>()
  text.split(/\r?\n/).forEach((line, index) => {
    const wrong = (what: string): never => {
      throw new TraceError(`${family}, line ${index + 1}: ${what}`)
    }
    if (line === '' || line === 'stream,t,d,n') return
    if (line.startsWith('#')) {
      const match = /^#\s*(\S+)\s+end=(\d+(?:\.\d+)?)(?:\s+src=(\S+)|\s|$)/.exec(line)
      if (match === null) return wrong('a header is "# STREAM end=SECONDS …"')
      ends.set(match[1] ?? '', { end: Number(match[2]), source: match[3] ?? match[1] ?? '' })
      return
    }
    const cells = line.split(',')
    const [name = '', ...rest] = cells
    const numbers = rest.map((cell) => (/^\d+(\.\d+)?$/.test(cell.trim()) ? Number(cell) : Number.NaN))
    const [t = Number.NaN, d = Number.NaN, n = Number.NaN] = numbers
    if (cells.length !== 4 || !(t >= 0 && d >= 0 && n >= 1))
      return wrong('a run is "stream,t,d,n": three numbers, n at least 1')
    if (!ends.has(name)) return wrong(`stream "${name}" has no header "# ${name} end=SECONDS"`)
    const list = runs.get(name) ?? []
    const last = list.at(-1)
    if (last !== undefined && t < last[0] + last[1]) return wrong(`stream "${name}" is not sorted by time`)
    if (t + d > (ends.get(name)?.end ?? 0)) return wrong(`stream "${name}" goes on after its end`)
    list.push([t, d, n])
    runs.set(name, list)
  })
  if (ends.size === 0) throw new TraceError(`${family}: no streams`)
  return [...ends].map(([name, { end, source }]) => {
    const list = runs.get(name)
    if (list === undefined) throw new TraceError(`${family}: stream "${name}" is empty`)
    const stream: Stream = {
      name,
      family,
      source,
      requests: 0,
      starts: [],
      lengths: [],
      lastStart: 0,
      lastLength: 0,
      counted: [],
    }
    let until: number | null = null
    let requests: RequestRate | null = null
    for (const [t, d, n] of list) {
      if (until !== null && t > until) {
        stream.starts.push(until)
        stream.lengths.push(t - until)
      }
      stream.requests += n
      requests = addRequests(requests, t * 1000, (t + d) * 1000, n)
      // Adjacent runs become one.
      if (t === until) stream.counted.pop()
      stream.counted.push(requests)
      until = t + d
    }
    stream.lastStart = until ?? 0
    stream.lastLength = end - stream.lastStart
    return stream
  })
}
