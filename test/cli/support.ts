import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { main } from '../../src/cli/main.ts'
import type { Shell } from '../../src/cli/shell.ts'

/** A Saturday afternoon, after the last change of the cards' prices. */
export const NOW = Date.UTC(2026, 10, 21, 15)

export const logs = join(import.meta.dirname, 'logs')

export function logText(name: string): string {
  return readFileSync(join(logs, name), 'utf8')
}

export async function* bytesOf(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? new TextEncoder().encode(part) : part
}

/** Runs the program and returns its output and exit code. */
export async function run(args: string[], given: Partial<Shell> & { text?: string } = {}) {
  let [out, said] = ['', '']
  const { text = '', ...shell } = given
  const code = await main({
    args,
    env: {},
    print: (more) => void (out += more),
    tell: (more) => void (said += more),
    input: bytesOf(text),
    stdout: { columns: null },
    stderr: { isTerminal: false },
    now: () => NOW,
    cwd: '/nowhere',
    stdin: { isTerminal: false },
    sleep: () => Promise.resolve(),
    ...shell,
  })
  return { code, out, said }
}
