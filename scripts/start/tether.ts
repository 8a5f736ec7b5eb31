/**
 * node tether.ts COMMAND [arguments…]: runs a command in this process's group, and ends the whole group when asked to or
 * when standard input closes. The starter holds the other end of that pipe, so whatever becomes of it, even SIGKILL, takes
 * the runtime along.
 */
import { spawn } from 'node:child_process'

const graceMs = 5000

const [command, ...args] = process.argv.slice(2)
if (command === undefined) throw new Error('tether needs a command')
const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })

let stopping = false
function stop(): void {
  if (stopping) return
  stopping = true
  process.kill(-process.pid, 'SIGTERM') // reaches this process too, which is stopping already
  setTimeout(() => process.kill(-process.pid, 'SIGKILL'), graceMs)
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop)
process.stdin.on('close', stop).resume()
child.on('error', (error) => {
  console.error(`Cannot run ${command}: ${error.message}`)
  process.exit(127)
})
child.on('exit', (code) => {
  if (stopping) process.kill(-process.pid, 'SIGKILL') // what the command left behind, and this
  else process.exit(code ?? 1)
})
