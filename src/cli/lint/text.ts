import type { FileFinding } from './file.ts'
import { printable } from '../shell.ts'

const YELLOW = '\u001b[33m'
const BLUE = '\u001b[34m'
const DIM = '\u001b[2m'
const PLAIN = '\u001b[0m'

/** Writes each finding as a paragraph. Its place comes first, because editors and terminals make a link of it. */
export function findingsText(found: readonly FileFinding[], files: number, colours: boolean): string {
  const paint = (colour: string, text: string): string => (colours ? `${colour}${text}${PLAIN}` : text)
  const lines = found.map(({ file, line, column, severity, cause, message, fix }) => {
    const head = `${printable(file)}:${line}:${column}: ${paint(severity === 'warning' ? YELLOW : BLUE, severity)} ${cause}`
    return `${head}\n  ${message}\n${fix === null ? '' : `  ${paint(DIM, fix)}\n`}`
  })
  const count = (severity: FileFinding['severity']): number => found.filter((one) => one.severity === severity).length
  const sum = `${plural(files, 'file')}: ${plural(count('warning'), 'warning')}, ${plural(count('hint'), 'hint')}.\n`
  return lines.join('') + sum
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

/**
 * Writes the findings as workflow commands, which GitHub Actions shows as annotations.
 * Source: docs.github.com, "Workflow commands for GitHub Actions", and actions/toolkit's command.ts for the escapes.
 */
export function annotations(found: readonly FileFinding[]): string {
  return found
    .map(({ file, line, column, severity, cause, message, fix }) => {
      const kind = severity === 'warning' ? 'warning' : 'notice'
      const place = `file=${property(file)},line=${line},col=${column},title=${property(`pilotlight lint: ${cause}`)}`
      return `::${kind} ${place}::${data(fix === null ? message : `${message} ${fix}`)}\n`
    })
    .join('')
}

function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}
