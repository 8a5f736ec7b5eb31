/** Output of the scripts: colours only on a terminal that supports them. */
import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]
export type Paint = (style: Style, text: string) => string

export const plain: Paint = (_style, text) => text

/** Returns the colours of a stream: none with NO_COLOR (https://no-color.org), and none if it is no terminal. */
export function paintFor(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): Paint {
  const wanted = stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  return wanted ? (style, text) => styleText(style, text, { validateStream: false }) : plain
}

/** Formats seconds: `0.4 s`, `12 s`, `3 min 20 s`. */
export function spell(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  return seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}
