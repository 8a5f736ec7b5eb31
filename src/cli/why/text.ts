import type { DiagnosisJson } from '../../diagnosis/diagnose.ts'
import { printable } from '../shell.ts'

const RED = '\u001b[31m'
const GREEN = '\u001b[32m'
const BOLD = '\u001b[1m'
const DIM = '\u001b[2m'
const PLAIN = '\u001b[0m'

/** The verdict as a paragraph: what, where, what it cost, what to do, and who says so. */
export function verdictText(found: DiagnosisJson, colours: boolean): string {
  const paint = (colour: string, text: string): string => (colours ? `${colour}${text}${PLAIN}` : text)
  const sure = `${Math.round(found.confidence * 100)} % sure`
  const fault =
    found.fault === 'nobody' ? '' : `, ${found.fault === 'yours' ? 'caused by the request' : 'caused by the provider'}`
  const lines = [`${paint(BOLD, found.verdict)}  ${paint(DIM, `${sure}${fault}`)}`, `  ${found.why}`]
  const { first_difference: first } = found
  if (first !== null) {
    const { path, at } = first
    const mark = caret(first.before, first.after)
    lines.push(
      '',
      `  ${path === '' ? 'the body' : printable(path)}${at > 0 ? paint(DIM, ` at character ${at}`) : ''}`,
      paint(RED, `  - ${shown(first.before)}`),
      paint(GREEN, `  + ${shown(first.after)}`),
      ...(mark === null ? [] : [paint(DIM, `    ${mark}`)]),
    )
  }
  if (found.lost_tokens !== null && found.lost_tokens > 0) {
    const cost =
      found.cost_usd === null ? '' : `, $${found.cost_usd.toFixed(found.cost_usd < 0.01 ? 4 : 2)} more than a read`
    lines.push('', `  ${found.lost_tokens.toLocaleString('en-US')} tokens were not read${cost}.`)
  }
  if (found.fix !== '') lines.push('', `  ${paint(BOLD, 'Fix:')} ${found.fix}`)
  lines.push('', ...found.witnesses.map(({ kind, says }) => `  ${paint(DIM, kind.padEnd(9))}${printable(says)}`))
  const others = found.others.map(({ verdict, confidence }) => `${verdict} (${Math.round(confidence * 100)} %)`)
  if (others.length > 0)
    lines.push('', `  ${found.verdict === 'unknown' ? 'It may be' : 'Less likely'}: ${others.join(', ')}.`)
  return `${lines.join('\n')}\n`
}

/** Marks the first character that differs; null: one of the two is empty. */
function caret(before: string, after: string): string | null {
  if (before === '' || after === '') return null
  const [one, other] = [shown(before), shown(after)]
  let at = 0
  while (at < one.length && one[at] === other[at]) at++
  return `${' '.repeat(at)}^`
}

/** A text of a prompt on one line. */
function shown(text: string): string {
  return text === '' ? '(nothing)' : printable(text.replaceAll('\n', '⏎').replaceAll('\t', ' '))
}
