/** The live table: turns prefixes into rows of plain data, and rows into lines. */
import { stripVTControlCharacters } from 'node:util'
import { label, type Prefix } from './api.ts'
import type { Paint } from '../terminal.ts'

export interface Row {
  name: string
  state: string
  warmUntil: string
  receipt: string
  probes: string
  hits: string
  cost: string
  saved: string
}

const titles: Row = {
  name: 'prefix',
  state: 'state',
  warmUntil: 'warm until',
  receipt: 'last receipt',
  probes: 'probes',
  hits: 'real hits',
  cost: 'cost',
  saved: 'saved',
}

export function rowsOf(prefixes: Prefix[], now: number): Row[] {
  return prefixes.map((prefix) => {
    const receipt = prefix.last_receipt ?? null
    const tokens = prefix.last_hit?.cached_tokens
    const hits = `${prefix.hits ?? 0}${prefix.misses ? ` (${prefix.misses} missed)` : ''}`
    const state = prefix.warmth?.state ?? 'unknown'
    const stopped = prefix.plan?.stopped?.reason
    return {
      name: label(prefix),
      state: stopped === undefined ? state : `${state} (${stopped})`,
      warmUntil: countdown(prefix.warmth?.warm_until ?? null, now),
      receipt: receipt === null ? 'none yet' : receiptText(receipt.kind, receipt.at, now),
      probes: String(prefix.probes ?? 0),
      hits: typeof tokens === 'number' ? `${hits}, last read ${tokens.toLocaleString('en')} tok` : hits,
      cost: dollars(prefix.cost_usd),
      saved: dollars(prefix.saved_usd),
    }
  })
}

function dollars(usd: number | null | undefined): string {
  return usd === undefined || usd === null ? 'unknown' : `$${usd.toFixed(4)}`
}

const SHORT_NAME = 16

const shortTitles: Row = { ...titles, warmUntil: 'until', receipt: 'receipt', probes: 'sent', hits: 'hits' }

/** Shortens a row for narrow terminals. Every column stays. */
function shortened(row: Row): Row {
  return {
    ...row,
    name: row.name.length <= SHORT_NAME ? row.name : `…${row.name.slice(-(SHORT_NAME - 1))}`,
    state: row.state.replace(/ \(.*/, ''),
    warmUntil: row.warmUntil.replace(/^.*\((.*)\)$/, '$1'),
    receipt: row.receipt.replace(', ', ' ').replace(' ago', ''),
    hits: row.hits.replace(/,? ?last read.*/, '').replace(' missed', ''),
  }
}

/** Formats an instant with its distance on the same clock: `13:05:20 (in 4:12)`. */
export function countdown(until: string | null, now: number): string {
  if (until === null) return '–'
  const leftMs = Date.parse(until) - now
  return Number.isNaN(leftMs)
    ? '–'
    : `${clockTime(Date.parse(until))} (${leftMs >= 0 ? `in ${minutes(leftMs)}` : `${minutes(-leftMs)} ago`})`
}

function receiptText(kind: string, at: string | undefined, now: number): string {
  const agoMs = at === undefined ? Number.NaN : now - Date.parse(at)
  return Number.isNaN(agoMs) ? kind : `${kind}, ${minutes(Math.max(0, agoMs))} ago`
}

/** Formats a duration: `4:12`, `1:04:12`. */
export function minutes(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const two = (value: number): string => String(value).padStart(2, '0')
  const hours = Math.floor(seconds / 3600)
  const rest = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`
  return hours > 0 ? `${hours}:${rest}` : rest.replace(/^0/, '')
}

export function clockTime(at: number): string {
  return new Date(at).toISOString().slice(11, 19)
}

const stateStyles = { warm: 'green', expiring: 'yellow', cold: 'red', uncacheable: 'red', unknown: 'dim' } as const

/** Returns the lines of the table. On a narrow terminal they are shortened, and cut only if that is not enough. */
export function tableLines(wide: Row[], paint: Paint, width: number): string[] {
  const columns = Object.keys(titles) as (keyof Row)[]
  const widthsOf = (rows: Row[]): number[] =>
    columns.map((column) => Math.max(...rows.map((row) => row[column].length)))
  const sum = (widths: number[]): number => widths.reduce((total, one) => total + one + 2, -2)
  const fits = sum(widthsOf([titles, ...wide])) <= width
  const head = fits ? titles : shortTitles
  const rows = fits ? wide : wide.map(shortened)
  const widths = widthsOf([head, ...rows])
  const line = (row: Row, style: (column: keyof Row, text: string) => string): string =>
    columns
      .map((column, index) => style(column, row[column].padEnd(widths[index] ?? 0)))
      .join('  ')
      .trimEnd()
  const style = (column: keyof Row, text: string): string => {
    if (column !== 'state') return text
    const state = text.trim().replace(/ \(.*/, '')
    return Object.hasOwn(stateStyles, state) ? paint(stateStyles[state as keyof typeof stateStyles], text) : text
  }
  const lines = [line(head, (_column, text) => paint('dim', text)), ...rows.map((row) => line(row, style))]
  return rows.length === 0 ? ['(no prefix is registered yet)'] : lines.map((text) => fit(text, width))
}

/** Cuts a line that would wrap, because wrapped lines cannot be redrawn in place. */
export function fit(text: string, width: number): string {
  const bare = stripVTControlCharacters(text)
  return bare.length <= width ? text : `${bare.slice(0, Math.max(0, width - 1))}…`
}
