/** One run per state folder: two runtimes on one database would spoil it. Also finds what a killed run left behind. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { processes } from './process-list.ts'
import { signalGroup } from './processes.ts'

export interface RunRecord {
  pid: number
  port: number
  /** True once it has been asked to stop: whoever waits a little finds the folder free. */
  stopping: boolean
  /** Process groups of the runtimes. */
  groups: number[]
}

/**
 * Says which run holds this folder, or clears away what a killed one left and says null. Every process is recognised by what
 * it runs, not by its number alone: numbers are given out again.
 */
export function clearRun(file: string): RunRecord | null {
  if (!existsSync(file)) return null
  const record = readRecord(file)
  if (record !== null) {
    const all = processes()
    const holder = all.find(({ pid }) => pid === record.pid)
    if (holder !== undefined && holder.pid !== process.pid && holder.command.includes('start.ts')) return record
    const left = all.filter(
      ({ group, command }) => record.groups.includes(group) && /tether\.ts|wrangler|workerd/.test(command),
    )
    for (const group of new Set(left.map((one) => one.group))) signalGroup(group, 'SIGKILL')
  }
  rmSync(file, { force: true })
  return null
}

export function writeRun(file: string, record: RunRecord): void {
  writeFileSync(file, JSON.stringify(record))
}

function readRecord(file: string): RunRecord | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as RunRecord
  } catch {
    return null // cut off while it was written: its run never came to start a runtime
  }
}
