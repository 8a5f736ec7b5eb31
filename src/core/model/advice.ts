/** End of a registered prefix inside its body. */
export interface Breakpoint {
  /** Path of the last element of the prefix, such as `system[1]`, `tools[11]`, `input[0].content[0]`, `systemInstruction`. */
  path: string
  /** UTF-8 byte offset of the end of that element in the stored body. */
  byte: number
}

/** A remark about a registration, for a person to read. */
export interface Advice {
  cause: string
  message: string
  at?: string
  /** `warning`: surely a mistake. `hint`: may be intended. */
  severity?: 'warning' | 'hint'
  fix?: string
  /** Line and column from 1, in the text that `at` points to. */
  line?: number
  column?: number
}

/** A lint finding. `at`: a JSON pointer (RFC 6901). */
export interface Finding extends Advice {
  severity: 'warning' | 'hint'
  fix: string
  at: string
}
