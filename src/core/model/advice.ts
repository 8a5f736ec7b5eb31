/** Where a registered prefix ends inside its body. */
export interface Breakpoint {
  /** Path of the last element inside the prefix, such as `system[1]`, `tools[11]`, `input[0].content[0]`, `systemInstruction`. */
  path: string
  /** UTF-8 byte offset just after that element in the stored body. */
  byte: number
}

/** A remark about a registration that a person should read. */
export interface Advice {
  cause: string
  message: string
  at?: string
  /** A `hint` may well be meant that way; a `warning` is meant by nobody. */
  severity?: 'warning' | 'hint'
  fix?: string
  /** From 1, in the text that `at` points to. */
  line?: number
  column?: number
}

/** A remark of lint. `at` is a JSON pointer. */
export interface Finding extends Advice {
  severity: 'warning' | 'hint'
  fix: string
  at: string
}
