import type { Shell } from '../shell.ts'

/** Smaller inputs show no progress. */
const QUIET_BYTES = 32 * 1024 * 1024
const QUIET_PREFIXES = 200
const STEP_BYTES = 4 * 1024 * 1024
/** Without a terminal, one line is written for each quarter. */
const STEPS = 4

/** Shows the progress of a long command on stderr: one changing line on a terminal, else a line for each quarter. */
export function progressOn({ stderr, tell }: Pick<Shell, 'stderr' | 'tell'>) {
  let shownLength = 0
  let lastStep = 0
  const say = (text: string): void => {
    if (stderr.isTerminal) {
      tell(`\r${text.padEnd(shownLength)}`)
      shownLength = text.length
    } else tell(`${text}\n`)
  }
  const step = (done: number, all: number | null, unit: number): boolean => {
    const size = stderr.isTerminal || all === null ? unit * (stderr.isTerminal ? 1 : 64) : Math.max(1, all / STEPS)
    const next = Math.floor(done / size)
    if (next <= lastStep) return false
    lastStep = next
    return true
  }
  return {
    reading(bytes: number, all: number | null): void {
      if (bytes < QUIET_BYTES || !step(bytes, all, STEP_BYTES)) return
      say(all === null ? `read ${megabytes(bytes)} MB …` : `read ${megabytes(bytes)} of ${megabytes(all)} MB …`)
    },
    replaying(done: number, all: number): void {
      if (all < QUIET_PREFIXES || !step(done, all, Math.max(1, Math.round(all / 100)))) return
      say(`replayed ${done} of ${all} prefixes …`)
    },
    /** Erases the line. */
    end(): void {
      if (stderr.isTerminal && shownLength > 0) tell(`\r${' '.repeat(shownLength)}\r`)
      shownLength = 0
      lastStep = 0
    },
  }
}

function megabytes(bytes: number): string {
  return Math.round(bytes / 1e6).toLocaleString('en-US')
}
