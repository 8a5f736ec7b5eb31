import type { FetchLike } from '../client/connection.ts'

/** Surroundings of a command: its arguments, streams and clock. Tests pass their own. */
export interface Shell {
  args: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  /** Writes the result to stdout. */
  print(text: string): void
  /** Writes progress, remarks and errors to stderr. */
  tell(text: string): void
  input: AsyncIterable<Uint8Array>
  /** `columns`: width of the terminal; null when stdout is no terminal. */
  stdout: { columns: number | null }
  stderr: { isTerminal: boolean }
  now(): number
  /** Folder in which the program was called. */
  cwd: string
  /** False: nobody can answer questions. */
  stdin: { isTerminal: boolean }
  sleep(ms: number): Promise<void>
  /** Absent: that of the runtime. */
  fetch?: FetchLike
}

/** Wrong usage. The message tells the user what is wrong and how to correct it; the exit code is 2. */
export class UsageError extends Error {}

/** True if stdout gets colours: not with `NO_COLOR` (https://no-color.org) and not on dumb terminals. */
export function wantsColours({ env, stdout }: Pick<Shell, 'env' | 'stdout'>): boolean {
  return stdout.columns !== null && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
}

/** Replaces control characters in a foreign name, because terminals and build logs take them for commands. */
export function printable(name: string): string {
  return name.replaceAll(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, '\ufffd')
}
