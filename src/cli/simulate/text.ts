import { styleText } from 'node:util'
import { answerOf, modelFigures, MONTH_DAYS, monthFactor, prefixFigures, wholeAnswer } from './answer.ts'
import type { Left, ModelResult, PrefixResult, Simulation } from './simulation.ts'
import {
  best,
  day,
  days,
  dollars,
  isClipped,
  planName,
  retentionWords,
  saved,
  scaleOf,
  verdict,
  whole,
} from './figures.ts'
import type { Outcome } from './outcomes.ts'

/** Width in columns, and whether colours are used. */
export interface Screen {
  columns: number
  colours: boolean
}

const NARROWEST_BAR = 8
const WIDEST_BAR = 60
/** Parts of a bar, in this order. Their characters differ, so that they can be told apart without colours. */
const PARTS = [
  { name: 'reads', mark: '░', style: 'blue', of: (one: Outcome) => one.readsNanos },
  { name: 'writes', mark: '▓', style: 'yellow', of: (one: Outcome) => one.writesNanos },
  { name: 'probes', mark: '█', style: 'green', of: (one: Outcome) => one.probesNanos },
] as const

/** Writes the result for a terminal. */
export function simulationText(result: Simulation, name: string, format: string, screen: Screen): string {
  const { fromAt, toAt, requests, models, unpriced, tooSmall, unsized, total } = result
  const lines = [
    ...wrapped(wholeAnswer(result).sentence, screen.columns).map((line) => bold(line, screen)),
    '',
    `${name}: ${counted(requests, 'request', 'requests')} from ${day(fromAt)} to ${day(toAt)} (${days(toAt - fromAt)}), read as ${format}`,
    '',
  ]
  for (const model of models) lines.push(...modelLines(model, result, screen), '')
  if (models.length > 1) {
    lines.push(
      'All models, each at its default retention',
      ...planLines(total, screen),
      ...monthLines(total, result, screen),
      '',
    )
  }
  for (const left of unpriced) lines.push(`Price unknown, not counted: ${leftWords(left)}.`)
  for (const left of tooSmall) lines.push(`Too small to be cached, not counted: ${leftWords(left)}.`)
  if (unsized.prefixes > 0)
    lines.push(
      `Size unknown, not counted: ${counted(unsized.requests, 'request', 'requests')} of ${counted(unsized.prefixes, 'prefix', 'prefixes')}. Give a size with --tokens N.`,
    )
  return `${lines.join('\n').trimEnd()}\n`
}

export function leftWords({ provider, model, prefixes, requests, why }: Left): string {
  const name = [provider, model].filter((part) => part !== null).join(' ')
  return `${name === '' ? 'no model' : name}, ${counted(requests, 'request', 'requests')} of ${counted(prefixes, 'prefix', 'prefixes')} (${why})`
}

export function counted(count: number, one: string, more: string): string {
  return `${whole(count)} ${count === 1 ? one : more}`
}

export function modelRemarks({ uneven, wholePrompts, retentions }: ModelResult): string[] {
  const remarks: string[] = []
  if (wholePrompts > 0)
    remarks.push(
      `${counted(wholePrompts, 'prefix is', 'prefixes are')} assumed to be as large as whole prompts, because the log contains no cached tokens. ` +
        'Give the size with --tokens N.',
    )
  if (uneven > 0)
    remarks.push(
      `${counted(uneven, 'prefix', 'prefixes')} vary in size by more than a factor of two; the mean is used. If these are whole prompts, give the size of the prefix with --tokens N.`,
    )
  const assumed = retentions.filter((one) => one.assumed)
  if (assumed.length > 0)
    remarks.push(`The length of ${assumed.map(({ name }) => name).join(' and ')} is assumed: the provider states none.`)
  return remarks
}

function modelLines(model: ModelResult, result: Simulation, screen: Screen): string[] {
  const { provider, prefixes, requests, pricesFrom, checked } = model
  const retentions = model.retentions.map(retentionWords).join(', ')
  return [
    `${bold(`${provider} ${model.model}`, screen)}: ${counted(prefixes, 'prefix', 'prefixes')}, ${counted(requests, 'request', 'requests')}`,
    `prices from ${pricesFrom}, checked ${checked}; retention ${retentions}`,
    '',
    ...planLines(model.outcomes, screen),
    '',
    ...(result.models.length > 1 ? wrapped(answerOf(modelFigures(model, result)).sentence, screen.columns) : []),
    ...wrapped(verdict(model), screen.columns),
    ...monthLines(model.outcomes, result, screen),
    ...modelRemarks(model).flatMap((remark) => wrapped(remark, screen.columns)),
    ...prefixLines(model, screen),
    ...prefixAnswers(model, result).flatMap((line) => wrapped(line, screen.columns)),
  ]
}

/** The sums of a month, from the days of the log; none if the log is too short. */
function monthLines(outcomes: readonly Outcome[], result: Simulation, { columns }: Screen): string[] {
  const words = monthWords(outcomes, result)
  return words === null ? [] : wrapped(words, columns)
}

/** Writes what a month costs as it is and with the cheapest plan; null if the log is too short for a month. */
export function monthWords(outcomes: readonly Outcome[], { fromAt, toAt }: Simulation): string | null {
  const factor = monthFactor(toAt - fromAt)
  const [first, least] = [outcomes[0], best(outcomes)]
  if (factor === null || first === undefined || least === undefined) return null
  const cheapest = least === first ? '' : `, ${dollars(least.costNanos * factor)} with ${planName(least)}`
  return `A month of ${MONTH_DAYS} days, from ${days(toAt - fromAt)} of log: ${dollars(first.costNanos * factor)} with ${planName(first)}${cheapest}.`
}

/** A sentence for each prefix that is shown; prefixes with the same sentence share it. */
export function prefixAnswers(model: ModelResult, result: Simulation): string[] {
  if (model.prefixes < 2) return []
  const named = new Map<string, string[]>()
  for (const one of model.shown) {
    const { sentence } = answerOf(prefixFigures(one, model, result))
    named.set(sentence, [...(named.get(sentence) ?? []), one.label])
  }
  return [
    ...(named.size === 0 ? [] : ['']),
    ...[...named].map(([sentence, labels]) => `${labels.join(', ')}: ${sentence}`),
  ]
}

function planLines(outcomes: readonly Outcome[], screen: Screen): string[] {
  const rows = outcomes.map((one) => [
    planName(one),
    dollars(one.costNanos),
    one === outcomes[0] ? '' : dollars(saved(one, outcomes)),
    whole(one.coldStarts),
    whole(one.probes),
  ])
  const head = ['plan', 'cost', 'saves', 'cold starts', 'probes']
  const table = aligned([head, ...rows])
  const room = Math.min(WIDEST_BAR, screen.columns - (table[0]?.length ?? 0) - 2)
  if (room < NARROWEST_BAR) return table
  const scale = scaleOf(outcomes)
  const bars = outcomes.map((one) => bar(one, scale, room, screen))
  const legend = PARTS.map(({ name, mark, style }) => `${painted(mark, style, screen)} ${name}`).join('  ')
  return [...table.map((line, index) => (index === 0 ? line : `${line}  ${bars[index - 1]}`)), legend]
}

function bar(one: Outcome, scale: number, room: number, screen: Screen): string {
  if (scale <= 0) return ''
  let text = ''
  let sum = 0
  let drawn = 0
  for (const { mark, style, of } of PARTS) {
    sum += of(one)
    const until = Math.min(room - (isClipped(one, scale) ? 1 : 0), Math.round((sum / scale) * room))
    text += painted(mark.repeat(Math.max(0, until - drawn)), style, screen)
    drawn = Math.max(drawn, until)
  }
  return isClipped(one, scale) ? `${text}→` : text
}

function prefixLines({ shown, rest, prefixes }: ModelResult, screen: Screen): string[] {
  if (prefixes < 2 || shown.length === 0) return []
  const longest = Math.max(14, Math.min(40, screen.columns - 64))
  const cells = shown.map((one) => prefixCells(one, longest))
  const head = ['prefix', 'requests', 'tokens', 'nothing', 'cheapest', 'cost', 'cold', 'probes']
  const more =
    rest === null
      ? []
      : [`and ${counted(rest.prefixes, 'prefix', 'prefixes')} more, ${counted(rest.requests, 'request', 'requests')}`]
  return ['', ...aligned([head, ...cells], [4]), ...more]
}

function prefixCells({ label, requests, tokens, outcomes }: PrefixResult, longest: number): string[] {
  const least = best(outcomes)
  const name = label.length > longest ? `${label.slice(0, longest - 1)}…` : label
  if (least === undefined) return [name]
  return [
    name,
    whole(requests),
    whole(tokens),
    dollars(outcomes[0]?.costNanos ?? 0),
    planName(least),
    dollars(least.costNanos),
    whole(least.coldStarts),
    whole(least.probes),
  ]
}

/** Formats a table. The first column and the named ones are aligned left, the others right. */
function aligned(rows: readonly (readonly string[])[], left: readonly number[] = []): string[] {
  const widths = (rows[0] ?? []).map((_head, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows.map((row) =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? ''
        return column === 0 || left.includes(column) ? cell.padEnd(width) : cell.padStart(width)
      })
      .join('  '),
  )
}

/** Breaks a text into lines that fit the width. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

function painted(text: string, style: 'blue' | 'yellow' | 'green' | 'bold', { colours }: Screen): string {
  return colours && text !== '' ? styleText(style, text, { validateStream: false }) : text
}

function bold(text: string, screen: Screen): string {
  return painted(text, 'bold', screen)
}
