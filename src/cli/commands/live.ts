import { CommandError, EXIT } from '../remote/exit.ts'
import type { Json } from '../remote/api.ts'
import { at, clock, count, nameOf, text, usd } from '../remote/words.ts'
import { number } from './command.ts'
import type { Call, Spec } from './command.ts'
import { historyLine, prefixPath, prefixTable, serverNow } from './prefix-words.ts'

/** Clears the terminal and goes to its top left corner (ECMA-48). */
const CLEAR = '\u001b[2J\u001b[H'
const EVERY_S = 2

function interval(call: Call): number {
  return Math.max(0.2, number(call.flag('every'), 'every') ?? EVERY_S) * 1_000
}

/** How often something is asked; absent: until somebody ends it. */
function rounds(call: Call): number {
  return number(call.flag('rounds'), 'rounds') ?? Number.POSITIVE_INFINITY
}

async function watch(call: Call): Promise<number> {
  if (call.shell.stdout.columns === null)
    throw new CommandError(
      EXIT.usage,
      'watch draws in a terminal. Elsewhere use pilotlight tail, or pilotlight ls --json.',
    )
  for (let round = 0; round < rounds(call); round++) {
    const [all, now] = [await call.api.list('/prefixes?limit=200', 200), await serverNow(call)]
    const head = `${new Date(now).toISOString().slice(0, 19).replace('T', ' ')} UTC, ${call.api.url}, Ctrl-C ends it`
    call.shell.print(`${CLEAR}${head}\n\n${prefixTable(call, all, now)}`)
    await call.shell.sleep(interval(call))
  }
  return EXIT.done
}

/** What changed between two readings of a prefix, as lines. Null before the first. */
export function changesOf(before: Json | undefined, after: Json): string[] {
  const name = nameOf(after)
  if (before === undefined) return [`${clock(after['created_at'])}  ${name}  registered`]
  const differs = (...path: string[]): boolean => text(at(before, ...path)) !== text(at(after, ...path))
  const lines: string[] = []
  const receipt = at(after, 'last_receipt')
  if (differs('last_receipt', 'at') && receipt !== null)
    lines.push(
      `${clock(at(receipt, 'at'))}  ${name}  ${text(at(receipt, 'purpose'))}  ${text(at(receipt, 'kind'))}: ${text(at(receipt, 'why'))}, ${usd(at(receipt, 'cost_usd'))}`,
    )
  if (differs('last_hit', 'at') && after['last_hit'] !== null)
    lines.push(
      `${clock(at(after, 'last_hit', 'at'))}  ${name}  hit: ${count(at(after, 'last_hit', 'cached_tokens'))} tokens read`,
    )
  if (Number(after['misses']) > Number(before['misses'])) lines.push(`          ${name}  miss`)
  if (differs('warmth', 'state'))
    lines.push(
      `          ${name}  ${text(at(before, 'warmth', 'state'))} → ${text(at(after, 'warmth', 'state'))}: ${text(at(after, 'warmth', 'why'))}`,
    )
  if (differs('plan', 'stopped', 'reason'))
    lines.push(
      at(after, 'plan', 'stopped') === null
        ? `          ${name}  plan continues`
        : `          ${name}  plan stopped: ${text(at(after, 'plan', 'stopped', 'reason'))}`,
    )
  if (differs('last_failure', 'at') && after['last_failure'] !== null)
    lines.push(`          ${name}  failed: ${text(at(after, 'last_failure', 'message'))}`)
  return lines
}

async function tail(call: Call): Promise<number> {
  return call.args[0] === undefined ? tailAll(call) : tailOne(call, call.arg(0))
}

async function tailAll(call: Call): Promise<number> {
  let known: Map<string, Json> | null = null
  for (let round = 0; round < rounds(call); round++) {
    const all = await call.api.list('/prefixes?limit=200')
    for (const one of known === null ? [] : all) {
      const id = text(one['id'])
      const before = known?.get(id)
      const lines = changesOf(before, one)
      if (lines.length === 0) continue
      call.shell.print(
        call.json
          ? `${JSON.stringify({ id, name: one['name'], changes: lines.map((line) => line.trim()) })}\n`
          : `${lines.join('\n')}\n`,
      )
    }
    known = new Map(all.map((one) => [text(one['id']), one]))
    await call.shell.sleep(interval(call))
  }
  return EXIT.done
}

async function tailOne(call: Call, name: string): Promise<number> {
  let seen: number | null = null
  for (let round = 0; round < rounds(call); round++) {
    const rows = await call.api.list(`${prefixPath(name)}/history`)
    const fresh = seen === null ? rows.slice(-10) : rows.slice(Math.min(seen, rows.length))
    for (const row of fresh) call.shell.print(`${call.json ? JSON.stringify(row) : historyLine(row)}\n`)
    seen = rows.length
    await call.shell.sleep(interval(call))
  }
  return EXIT.done
}

const OFTEN = [
  ['--every <seconds>', `how often it asks; ${EVERY_S} when absent`],
  ['--rounds <count>', 'asks so often, and ends'],
] as const

export const liveCommands: readonly Spec[] = [
  {
    usage: 'watch',
    about: 'draws a live table of the newest 200 prefixes',
    example: 'pilotlight watch --every 5',
    options: OFTEN,
    run: watch,
  },
  {
    usage: 'tail [name]',
    about: 'prints what happens, as it happens: to all prefixes, or to one; with --json one object a line',
    example: 'pilotlight tail support-agent',
    options: OFTEN,
    run: tail,
  },
]
