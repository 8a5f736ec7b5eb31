/** Output of the table: redrawn in place on a terminal, else printed from time to time. */
import type { Paint } from '../terminal.ts'
import { MINUTE_MS } from '../../src/core/time/time.ts'

export interface Screen {
  /** Prints a line about an event, which stays on the screen. */
  say(text: string): void
  /** Shows the current table. Without a terminal it is printed again only after some virtual time, measured by `now`. */
  show(lines: string[], now: number): void
  /** Leaves the last table on the screen, so that later output comes below it. */
  close(): void
  width(): number
  paint: Paint
}

/** Virtual time between two tables in a log. */
const printEveryMs = 5 * MINUTE_MS

export function screenFor(stream: NodeJS.WriteStream, paint: Paint): Screen {
  return stream.isTTY ? inPlace(stream, paint) : lineByLine(stream, paint)
}

function inPlace(stream: NodeJS.WriteStream, paint: Paint): Screen {
  let drawn: string[] = []
  const erase = (): string => (drawn.length === 0 ? '' : `\u001b[${drawn.length}A\u001b[0J`)
  const draw = (before: string): void =>
    void stream.write(`${erase()}${before}${drawn.map((line) => `${line}\n`).join('')}`)
  return {
    paint,
    width: () => stream.columns,
    say: (text) => draw(`${text}\n`),
    show: (lines) => {
      const height = Math.max(3, stream.rows - 1) // a block higher than the screen could not be erased
      const next = lines.slice(0, height)
      const before = erase()
      drawn = next
      stream.write(`\u001b[?25l${before}${next.map((line) => `${line}\n`).join('')}`)
    },
    close: () => {
      drawn = []
      stream.write('\u001b[?25h')
    },
  }
}

function lineByLine(stream: NodeJS.WriteStream, paint: Paint): Screen {
  let nextAt = -Infinity
  return {
    paint,
    width: () => 200,
    say: (text) => void stream.write(`${text}\n`),
    show: (lines, now) => {
      if (now < nextAt) return
      nextAt = now + printEveryMs
      stream.write(`${lines.join('\n')}\n`)
    },
    close: () => undefined,
  }
}
