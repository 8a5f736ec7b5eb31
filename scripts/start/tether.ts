/**
 * node tether.ts [--mark=TEXT] COMMAND [arguments…]: runs a command in this process's group. It ends the whole group on a signal, or
 * when standard input closes. The starter has the other end of that pipe, so its end, even by SIGKILL, ends the runtime too.
 *
 * With a mark, the command and all its descendants have it in their environment. When the command ends, in any way, all processes with
 * the mark are ended, of any group.
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
/** Signals the command alone, which ends its own children in order. After the grace period the group is killed. */
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

/** Repeats, because a process that is about to end may still start another. */
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
  if (!held) endGroup() // no other process ends what the command left behind
  endMarked()
  process.exit(code ?? 1)
})
