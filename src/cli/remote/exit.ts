/**
 * Exit codes of the commands that ask a deployment; docs/cli.md lists them. From 64 on they are those of sysexits.h (BSD, checked 2026-12-01).
 */
export const EXIT = {
  done: 0,
  /** The answer is one that a script should act on: a finding of `doctor`, a prefix that is not warm. */
  finding: 1,
  usage: 64,
  refused: 65,
  unreachable: 69,
  noPermission: 77,
  notConfigured: 78,
} as const

/** A command that ends without a result. Its message says what to do next. */
export class CommandError extends Error {
  readonly exit: number

  constructor(exit: number, message: string) {
    super(message)
    this.exit = exit
  }
}
