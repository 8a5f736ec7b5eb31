import { printable, wantsColours } from '../shell.ts'
import type { Shell } from '../shell.ts'

/** A column: its title, and its text of a row. `right`: numbers. */
export interface Column<Row> {
  title: string
  of: (row: Row) => string
  right?: true
}

const GAP = '  '
const SHORTEST = 8

/** Rows as a table that fits the terminal: the widest texts are cut. Without a terminal nothing is. */
export function tableOf<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  shell: Pick<Shell, 'env' | 'stdout'>,
): string {
  const cells = rows.map((row) => columns.map(({ of }) => printable(of(row))))
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...cells.map((row) => length(row[at] ?? ''))))
  const room = shell.stdout.columns ?? Number.POSITIVE_INFINITY
  while (sum(widths) + GAP.length * (columns.length - 1) > room) {
    const widest = widths.indexOf(Math.max(...widths))
    if ((widths[widest] ?? 0) <= SHORTEST) break
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => fitted(cell, widths[at] ?? 0, columns[at]?.right === true))
      .join(GAP)
      .trimEnd()
  const head = line(columns.map(({ title }) => title))
  return [wantsColours(shell) ? `\u001b[1m${head}\u001b[0m` : head, ...cells.map(line)].join('\n') + '\n'
}

/** Names and values, one a line. */
export function pairsOf(pairs: readonly (readonly [name: string, value: string | null])[]): string {
  const told = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== null && pair[1] !== '')
  const width = Math.max(0, ...told.map(([name]) => name.length))
  return told.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}\n`).join('')
}

function fitted(text: string, width: number, right: boolean): string {
  const all = [...text]
  const cut = all.length > width ? `${all.slice(0, width - 1).join('')}…` : text
  const pad = ' '.repeat(Math.max(0, width - length(cut)))
  return right ? pad + cut : cut + pad
}

function length(text: string): number {
  return [...text].length
}

function sum(widths: readonly number[]): number {
  return widths.reduce((all, width) => all + width, 0)
}
