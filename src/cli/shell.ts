/** What a command may touch: its words, its streams, its clock. Tests hand in their own. */
export interface Shell {
  args: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  /** The result, for people or for a pipe. */
  print(text: string): void
  /** Progress, remarks and errors. */
  tell(text: string): void
  input: AsyncIterable<Uint8Array>
  /** `columns`: of the terminal; null where stdout is none. */
  stdout: { columns: number | null }
  stderr: { isTerminal: boolean }
  now(): number
}

/** Something that a person has to put right; the message says what and how. Commands end with 2. */
export class UsageError extends Error {}

/** `NO_COLOR` and dumb terminals get none: https://no-color.org. */
export function wantsColours({ env, stdout }: Pick<Shell, 'env' | 'stdout'>): boolean {
  return stdout.columns !== null && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
}

/** A name from outside, made fit for a terminal and for the log of a build: control characters there are commands. */
export function printable(name: string): string {
  return name.replaceAll(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, '\ufffd')
}
