/**
 * node tether.ts [--mark=TEXT] COMMAND [arguments…]: runs a command in this process's group, and ends the whole group when
 * asked to or when standard input closes. The starter holds the other end of that pipe, so whatever becomes of it, even
 * SIGKILL, takes the runtime along.
 *
 * With a mark, the command and all that it starts carry it in their environment, and nothing that carries it outlives the
 * command, in whatever group it is and however the command ended.
 */
import { spawn } from 'node:child_process'
import { markOf, marked } from './process-list.ts'

const graceMs = 5000

const given = process.argv.slice(2)
const mark = given[0]?.startsWith('--mark=') ? (given.shift() ?? '').slice('--mark='.length) : null
const [command, ...args] = given
if (command === undefined) throw new Error('tether needs a command')
const env = mark === null ? process.env : { ...process.env, ...markOf(mark) }
const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env })

let stopping = false
/** The command alone is asked: it ends its own children in order. What is left after the grace is killed with the group. */
function stop(): void {
  if (stopping) return
  stopping = true
  child.kill('SIGTERM')
  setTimeout(endGroup, graceMs)
}

function endGroup(): void {
  endMarked()
  process.kill(-process.pid, 'SIGKILL') // this process too
}

/** Again and again, because one that is about to end may still start another. */
function endMarked(): void {
  for (let left = mark === null ? [] : marked(mark); left.length > 0; left = marked(mark ?? '')) {
    for (const pid of left) kill(pid)
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
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
  endMarked()
  process.exit(code ?? 1)
})
