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
/** The command alone is asked: it ends its own children in order. What is left after the grace is killed with the group. */
function stop(): void {
  if (stopping) return
  stopping = true
  child.kill('SIGTERM')
  setTimeout(endGroup, graceMs)
}

function endGroup(): void {
  process.kill(-process.pid, 'SIGKILL') // this process too
}

let held = true
process.stdin
  .on('close', () => {
    held = false
    stop()
  })
  .resume()
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop)

child.on('error', (error) => {
  console.error(`Cannot run ${command}: ${error.message}`)
  process.exit(127)
})
child.on('exit', (code) => {
  if (!held) endGroup() // nobody else will look for what the command left behind
  process.exit(code ?? 1)
})
