/** Processes of this machine with their groups and commands. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

export interface Process {
  pid: number
  group: number
  command: string
}

/** Returns every running process. A zombie does not count. */
export function processes(): Process[] {
  if (!existsSync('/proc/self/stat'))
    return fromPs(execFileSync('ps', ['-A', '-o', 'pid=,pgid=,command='], { encoding: 'utf8' }))
  const found: Process[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // state, parent, group …; the name may contain spaces
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
      if (afterName[0] !== 'Z') found.push({ pid: Number(name), group: Number(afterName[2]), command })
    } catch {
      continue // it ended meanwhile
    }
  }
  return found
}

export function fromPs(output: string): Process[] {
  return output.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line)
    return match === null ? [] : [{ pid: Number(match[1]), group: Number(match[2]), command: match[3] ?? '' }]
  })
}

/** Environment variable that marks the processes of a run. Children inherit it. */
const markName = 'PILOTLIGHT_RUN'

export function markOf(mark: string): Record<string, string> {
  return { [markName]: mark }
}

/** Returns every running process with this mark, of any group. */
export function marked(mark: string): number[] {
  const carried = `${markName}=${mark}`
  if (!existsSync('/proc/self/stat')) {
    const lines = execFileSync('ps', ['-A', '-E', '-o', 'pid=,command='], { encoding: 'utf8' }).split('\n')
    return lines.filter((line) => ` ${line} `.includes(` ${carried} `)).map((line) => Number.parseInt(line, 10))
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && environmentOf(name).includes(carried))
    .map(Number)
}

/** Reads the environment of a process. Empty if it has ended or belongs to another user. */
function environmentOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
  } catch {
    return []
  }
}
