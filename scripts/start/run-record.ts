/** Allows one run for each state folder, because two runtimes would damage one database. Finds leftovers of a killed run. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { processes } from './process-list.ts'
import { signalGroup } from './processes.ts'

export interface RunRecord {
  pid: number
  port: number
  /** True when the run is stopping: the folder will be free soon. */
  stopping: boolean
  /** Process groups of the runtimes. */
  groups: number[]
}

/**
 * Returns the run that uses this folder; or removes the leftovers of a killed run and returns null. It recognises a process by its
 * command, not by its number alone, because numbers are reused.
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
    return null // an incomplete record: its run had not started a runtime yet
  }
}
