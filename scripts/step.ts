/** Commands of a script, with a line before and after each. Output is shown at once, or only if the command fails. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { paintFor, spell } from './terminal.ts'

/** The project's folder. */
export const root = resolve(import.meta.dirname, '..')

/** Environment of every tool: no telemetry, no downloads, no questions. */
export const quietTools: Record<string, string> = {
  // Some tools colour their output whenever CI is set.
  ...(process.stdout.isTTY || process.env['FORCE_COLOR'] ? {} : { NO_COLOR: '1' }),
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  // Otherwise wrangler dev keeps a trace of every request, with its URL, in a file that only grows.
  X_LOCAL_OBSERVABILITY: 'false',
}

const paint = paintFor(process.stdout, process.env)

export interface StepOptions {
  /** Shows the command's output at once. Default: only if the command fails. */
  show?: boolean
  env?: Record<string, string>
  /** Ends the command when it aborts. With it, all that the command started ends with the command or with this process. */
  until?: AbortSignal
}

/** Runs one command in the project's folder; true if its exit code was 0. */
export async function step(
  title: string,
  command: string,
  args: string[],
  options: StepOptions = {},
): Promise<boolean> {
  console.log(paint('bold', `▸ ${title}`))
  const startedAt = performance.now()
  const { code, output } = await run(command, args, options)
  const took = paint('dim', `(${spell(performance.now() - startedAt)})`)
  if (code === 0) {
    console.log(`${paint('green', '✓')} ${title} ${took}`)
    return true
  }
  if (output !== '') console.log(output.trimEnd())
  console.log(`${paint('red', '✗')} ${title} ${took}: \`${[command, ...args].join(' ')}\` ended with ${code}`)
  return false
}

export interface Outcome {
  code: number
  output: string
}

export function run(command: string, args: string[], options: StepOptions = {}): Promise<Outcome> {
  const { until, show } = options
  if (until?.aborted) return Promise.resolve({ code: 1, output: '' })
  const tether = [resolve(import.meta.dirname, 'start/tether.ts'), `--mark=${randomUUID()}`, command]
  const [program, parameters] = until === undefined ? [command, args] : [process.execPath, [...tether, ...args]]
  return new Promise((settle) => {
    const child = spawn(program, parameters, {
      cwd: root,
      env: { ...process.env, ...quietTools, ...options.env },
      detached: until !== undefined, // its own group, so that Ctrl-C reaches this process alone, which then ends the command
      stdio: [until === undefined ? 'ignore' : 'pipe', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    })
    const letGo = (): void => void child.stdin?.destroy()
    until?.addEventListener('abort', letGo)
    let output = ''
    const keep = (chunk: Buffer): void => void (output += chunk.toString('utf8'))
    child.stdout?.on('data', keep)
    child.stderr?.on('data', keep)
    child.on('error', (error) => settle({ code: 127, output: error.message }))
    child.on('close', (code) => {
      until?.removeEventListener('abort', letGo)
      settle({ code: code ?? 1, output })
    })
  })
}
