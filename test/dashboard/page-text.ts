import { html } from '../../src/dashboard/page.ts'

export { html }

/** The text of the element with this tag (and id) that stands inline in the page, found without the code under test. */
export function inline(tag: 'script' | 'style', id?: string): string {
  const open = id === undefined ? `<${tag}>` : `<${tag} id="${id}">`
  const start = html.indexOf(open)
  const end = html.indexOf(`</${tag}>`, start)
  if (start < 0 || end < 0) throw new Error(`the page has no ${open}`)
  return html.slice(start + open.length, end)
}

/** Every script of the page, in their order. */
export const scripts: string[] = Array.from(html.matchAll(/<script id="([^"]+)">/g), ([, id]) => inline('script', id))

export interface Slope {
  x0: number
  y0: number
  x1: number
  y1: number
  ahead: boolean
}

export interface Timeline {
  from: number
  to: number
  now: number
  charges: Slope[]
  lapses: { x0: number; x1: number }[]
  probes: { x: number; tone: string }[]
  hits: { x: number; hits: number; misses: number; known: boolean }[]
  ticks: { x: number; text: string }[]
}

export interface Anchor {
  at: number
  counter: number
  rate: number
}

/** The pure part of the page, as far as tests call it. Values are `unknown` on purpose: the page takes whatever the API sends. */
export interface Pilot {
  instant(x: unknown): number | null
  plain(x: unknown): string
  clock(ms: unknown): string
  ago(at: number | null, now: number | null): string
  count(x: unknown): string
  usd(x: unknown): string
  latency(x: unknown): string
  percent(x: unknown): number | null
  sure(warmth: unknown): string
  firstToken(ttft: unknown): string
  state(warmth: unknown): string
  length(x: unknown): number | null
  ttl(item: unknown): number | null
  lapse(item: unknown, now: number | null): { text: string; note: string; left: number; probe: number | null }
  next(item: unknown, now: number | null): string
  because(item: unknown): { lead: string; text: string }
  title(item: unknown): string
  kind(x: unknown): string
  usage(x: unknown): [string, string][]
  story(row: unknown): { type: string; at: number | null; text: string }
  totals(items: unknown[]): { count: number; warm: number; states: Record<string, number> } & Record<string, unknown>
  changes(before: Map<string, unknown>, after: Map<string, unknown>): string
  anchor(health: unknown, counter: number, wall: number): Anchor
  virtual(anchor: Anchor | null, counter: number): number | null
  backoff(failures: number, askedMs?: number): number
  timeline(rows: unknown[], item: unknown, now: number | null, window?: number): Timeline | null
  caption(timeline: Timeline): string
  keyIn(fragment: string): string | null
  carriable(key: string): boolean
  example(origin: string): string
}

/** What one day of the ledger comes to: a sum is null where it is unknown. */
export interface LedgerDay {
  day: string
  calls: number | null
  spent: { usd: number | null; missing: number }
  saved: { usd: number | null; missing: number }
  net: number | null
}

export interface Bar {
  x0: number
  x1: number
  y0: number
  y1: number
}

export interface Chart {
  zero: number
  columns: { x: number; text: string; spent: Bar | null; saved: Bar | null; partial: boolean }[]
  lines: { y: number; text: string }[]
  marks: { x: number; text: string }[]
  days: number
}

export interface Range {
  low: number
  mid: number
  high: number
  modelled: number | null
}

export interface Money {
  ENOUGH: number
  HEADS: string[]
  AGAIN: Record<string, string>
  WHAT_IF: string[]
  days(answer: unknown): LedgerDay[]
  cells(day: LedgerDay): string[]
  net(answer: unknown): string
  bots(answer: unknown): string
  proof(answer: unknown): {
    modelled: { text: string; note: string }
    measured: { text: string; note: string }
    range: Range | null
  }
  chart(answer: unknown): Chart | null
  caption(answer: unknown): string
  line(range: Range | null): (Range & { zero: number }) | null
  again(reason: unknown, why?: string): string
  drifted: (answer: unknown) => string
  alarms: (answer: unknown) => { line: string; tickets: string }
  need(item: unknown): Record<'id' | 'title' | 'who' | 'reason' | 'why' | 'again', string> | null
  alternatives(plan: unknown): unknown[]
  whatIf(answers: unknown[], plan: unknown): { cells: string[]; inForce: boolean }[]
  how(answers: unknown[]): string
}

/** The blocks that only make words of values, evaluated as the browser would: one truth for the page and its tests. */
export const { pilot, money }: { pilot: Pilot; money: Money } = new Function(
  `${inline('script', 'pure')}; ${inline('script', 'pure-money')}; return { pilot, money }`,
)()
