/**
 * npm start: runs Pilotlight in the local runtime with the lab in place of the providers and with cron. It keeps three sample prefixes
 * warm and shows them in a table. `npm start -- --help` lists the options.
 */
import { rmSync } from 'node:fs'
import { keepClock } from './start/clock.ts'
import { help, parseOptions, type Options } from './start/options.ts'
import { launchAll, stopGroups, tail, untilReady, type Runtime } from './start/processes.ts'
import { writeRun, type RunRecord } from './start/run-record.ts'
import { screenFor } from './start/screen.ts'
import { Session } from './start/session.ts'
import { setUp } from './start/setup.ts'
import { stopSignal } from './start/signals.ts'
import { paintFor } from './terminal.ts'

const graceMs = 8000

const parsed = parseOptions(process.argv.slice(2), process.env)
if ('problem' in parsed) {
  console.error(`${parsed.problem}\nnpm start -- --help lists the options.`)
  process.exitCode = 2
} else if (parsed.help) {
  console.log(help)
} else {
  process.exitCode = await start(parsed)
}

/** Runs everything, stops all that it started, and returns the exit code. */
async function start(options: Options): Promise<number> {
  const out = options.json ? process.stderr : process.stdout
  const screen = screenFor(out, paintFor(out, process.env))
  const setup = await setUp(options, Date.now)
  if ('problem' in setup) {
    console.error(setup.problem)
    return 1
  }

  const stop = stopSignal()
  const session = new Session(setup, options, screen, stop.signal)
  let runtimes: Runtime[] = []
  let failure: string | null = null
  const record = (stopping: boolean): RunRecord => ({
    pid: process.pid,
    port: options.port,
    stopping,
    groups: runtimes.map(({ pid }) => pid),
  })
  try {
    screen.say(`Starting Pilotlight${setup.launches.length > 1 ? ' and the lab' : ''} …`)
    keepClock(setup.clockFile, setup.kept(false))
    runtimes = launchAll(setup.launches)
    writeRun(setup.runFile, record(false))
    const broken = Promise.race(
      runtimes.map(async (one) => Promise.reject(new Error(`${one.name} ${await one.ended}`))),
    )
    const work = Promise.all(runtimes.map((one) => untilReady(one, stop.signal))).then(() => session.run())
    await Promise.race([work, broken, stop.asked])
  } catch (error) {
    failure = stop.signal.aborted ? null : error instanceof Error ? error.message : String(error)
  }

  session.end()
  writeRun(setup.runFile, record(true))
  screen.close()
  if (failure === null) screen.say('Stopping …')
  else {
    console.error(`It ended early: ${failure}`)
    for (const { name, log } of runtimes) console.error(`\nLast lines of ${name}'s log (${log}):\n${tail(log)}`)
  }
  stop.force(() => void stopGroups(runtimes, 0).then(() => process.exit(130)))
  await stopGroups(runtimes, graceMs)
  keepClock(setup.clockFile, setup.kept(true))
  rmSync(setup.runFile, { force: true })
  if (options.json) console.log(JSON.stringify(session.summary()))
  if (failure !== null) return 1
  screen.say(setup.pretend ? 'Stopped. Time stands still until the next start, which continues from here.' : 'Stopped.')
  return options.forMs !== null && session.problems.length > 0 ? 1 : 0
}
