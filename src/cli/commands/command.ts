import { readFileSync } from 'node:fs'
import { Api } from '../remote/api.ts'
import type { Json } from '../remote/api.ts'
import { CommandError, EXIT } from '../remote/exit.ts'
import type { SettingFlags } from '../remote/settings.ts'
import { tableOf } from '../remote/table.ts'
import type { Column } from '../remote/table.ts'
import type { Shell } from '../shell.ts'

/** Options as they were given, by their names in camel case. */
export type Flags = SettingFlags & Record<string, string | boolean | undefined>

/** A command that asks a deployment. */
export interface Spec {
  /** Its name and its arguments, as `show <name>`. */
  usage: string
  about: string
  example: string
  options?: readonly (readonly [flags: string, about: string])[]
  run: (call: Call) => Promise<number>
}

/** One call of a command. */
export class Call {
  readonly shell: Shell
  readonly args: readonly (string | undefined)[]
  readonly flags: Flags
  #api: Api | null = null

  constructor(shell: Shell, args: readonly (string | undefined)[], flags: Flags) {
    this.shell = shell
    this.args = args
    this.flags = flags
  }

  /** The deployment. Throws `CommandError` where none is named. */
  get api(): Api {
    return (this.#api ??= new Api(this.shell, this.flags))
  }

  get json(): boolean {
    return this.flags['json'] === true
  }

  arg(index: number): string {
    return this.args[index] ?? ''
  }

  /** The value of an option; undefined: it was not given. */
  flag(name: string): string | undefined {
    const value = this.flags[name]
    return typeof value === 'string' ? value : undefined
  }

  has(name: string): boolean {
    return this.flags[name] === true
  }

  /** Prints a result: as JSON with --json, else as its text. */
  show(value: unknown, words: () => string): void {
    this.shell.print(this.json ? `${JSON.stringify(value, null, 2)}\n` : words())
  }

  showTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], none: string): void {
    this.show({ data: rows, next_cursor: null }, () =>
      rows.length === 0 ? `${none}\n` : tableOf(columns, rows, this.shell),
    )
  }

  /** Asks before something is done that cannot be undone. Throws where nobody can answer. */
  async sure(question: string): Promise<boolean> {
    if (this.has('yes')) return true
    if (!this.shell.stdin.isTerminal)
      throw new CommandError(EXIT.usage, `${question} Nobody is here to answer: give --yes to do it.`)
    this.shell.tell(`${question} [y/N] `)
    return /^y(?:es)?$/i.test(await this.line())
  }

  /** The next line of the standard input. */
  async line(): Promise<string> {
    const decoder = new TextDecoder()
    let all = ''
    for await (const piece of this.shell.input) {
      all += decoder.decode(piece, { stream: true })
      if (all.includes('\n')) break
    }
    return (all.split('\n')[0] ?? '').trim()
  }

  /** The text of a file, or of the standard input at `-`. Throws `CommandError`. */
  async file(path: string): Promise<string> {
    if (path !== '-') return readText(path)
    const decoder = new TextDecoder()
    let all = ''
    for await (const piece of this.shell.input) all += decoder.decode(piece, { stream: true })
    return all + decoder.decode()
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw new CommandError(EXIT.usage, `The file ${path} cannot be read. Check its path.`)
  }
}

/** The text of a JSON object, with members in front of its own. Their text stays as it is. */
export function withMembers(text: string, members: Json): string {
  const own = text.trim()
  if (!own.startsWith('{')) throw new CommandError(EXIT.usage, 'The file must hold a JSON object.')
  const inside = own.slice(1).trimStart()
  const added = JSON.stringify(members).slice(1, -1)
  return added === '' ? own : `{${added}${inside.startsWith('}') ? '' : ','}${inside}`
}

/** The members whose values are given. */
export function given(members: Readonly<Record<string, unknown>>): Json {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}

/** An option that is a number. Throws where it is none. */
export function number(value: string | undefined, name: string): number | undefined {
  if (value === undefined) return undefined
  const read = Number(value.replace(/^\$/, ''))
  if (value.trim() === '' || !Number.isFinite(read))
    throw new CommandError(EXIT.usage, `--${name} must be a number, such as 5 or 0.25.`)
  return read
}
