/** Entry of the program. No other file of it uses `process`. */
import { clockFrom } from '../runtime/clock.ts'
import { main } from './main.ts'

// The reader of a pipe may stop early, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

process.exitCode = await main({
  args: process.argv.slice(2),
  env: process.env,
  print: (text) => void process.stdout.write(text),
  tell: (text) => void process.stderr.write(text),
  input: process.stdin,
  stdout: { columns: process.stdout.isTTY ? (process.stdout.columns ?? 80) : null },
  stderr: { isTerminal: process.stderr.isTTY },
  now: clockFrom({}).now,
  cwd: process.cwd(),
  stdin: { isTerminal: process.stdin.isTTY },
  sleep: clockFrom({}).sleep,
})
