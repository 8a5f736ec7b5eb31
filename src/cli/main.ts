import type { Shell } from './shell.ts'
import { completionFor, SHELLS } from './completion.ts'
import { COMMON, nameOfSpec, remoteCommands, runRemote } from './program.ts'
import { EXIT } from './remote/exit.ts'
import { didYouMean } from '../contract/nearest.ts'
import { VERSION } from '../runtime/version.ts'
import { printable, UsageError } from './shell.ts'

/** A subcommand. It gets the arguments after its name and returns the exit code: 0, or 1 if it found a fault. */
export type Command = (shell: Shell) => Promise<number>

/** The subcommands: a line for `--help`, and the module, which is loaded only when it is called. */
const commands: Record<string, { about: string; load: () => Promise<Command> }> = {
  lint: {
    about: 'finds text that makes prompt caches miss, in files',
    load: async () => (await import('./lint/command.ts')).lint,
  },
  simulate: {
    about: 'shows what each plan would have cost and saved on a log of your requests',
    load: async () => (await import('./simulate/command.ts')).simulate,
  },
  why: {
    about: 'says why a request missed the prompt cache that an earlier one had filled',
    load: async () => (await import('./why/command.ts')).why,
  },
}

const OFFLINE = Object.entries(commands).map(([name, { about }]) => ({ name, about }))
const REMOTE = remoteCommands.map((spec) => ({ name: nameOfSpec(spec), about: spec.about, spec }))

const line = ({ name, about }: { name: string; about: string }): string => `  ${name.padEnd(12)} ${about}`

const HELP = `pilotlight COMMAND [options]

Offline, with no account and no network:
${OFFLINE.map(line).join('\n')}

With a deployment (PILOTLIGHT_URL, PILOTLIGHT_KEY):
${REMOTE.map(line).join('\n')}

  completion   prints the completions of a shell: bash, zsh or fish

  pilotlight COMMAND --help shows options and an example. docs/cli.md has the exit codes.
`

/** Runs the program and returns its exit code. */
export async function main(shell: Shell): Promise<number> {
  const [name, ...args] = shell.args
  if (name === '--help' || name === '-h' || name === 'help') {
    shell.print(HELP)
    return 0
  }
  if (name === '--version' || name === '-V') {
    shell.print(`${VERSION}\n`)
    return 0
  }
  if (name === 'completion') return completion(shell, args[0] ?? '')
  const remote = REMOTE.find((one) => one.name === name)
  if (remote !== undefined) return runRemote(remote.spec, { ...shell, args })
  const command = Object.hasOwn(commands, name ?? '') ? commands[name ?? ''] : undefined
  if (command === undefined) {
    const hint = `There is no command "${printable(name ?? '')}".${didYouMean(name ?? '', NAMES)}`
    shell.tell(name === undefined ? HELP : `${hint} pilotlight --help lists all.\n`)
    return 2
  }
  try {
    return await (
      await command.load()
    )({ ...shell, args })
  } catch (error) {
    const misused = error instanceof TypeError && String(Reflect.get(error, 'code')).startsWith('ERR_PARSE_ARGS')
    if (!misused && !(error instanceof UsageError)) throw error
    shell.tell(`pilotlight ${name}: ${error.message}\n`)
    return 2
  }
}

const NAMES = [...OFFLINE, ...REMOTE].map(({ name }) => name).concat('completion')

/** Options of the commands that have no specification. */
const OFFLINE_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  lint: ['--json', '--provider', '--help'],
  simulate: ['--json', '--html', '--help'],
  why: ['--json', '--provider', '--model', '--help'],
}

function completion(shell: Shell, wanted: string): number {
  const long = (flags: string): string => flags.split(' ')[0] ?? flags
  const all = [
    ...OFFLINE.map(({ name, about }) => ({ name, about, options: OFFLINE_OPTIONS[name] ?? [] })),
    ...REMOTE.map(({ name, about, spec }) => ({
      name,
      about,
      options: [...(spec.options ?? []), ...COMMON].map(([flags]) => long(flags)),
    })),
    { name: 'completion', about: 'prints completions', options: SHELLS },
  ]
  const script = completionFor(wanted, all)
  if (script === null) {
    shell.tell(`pilotlight completion: say which shell: ${SHELLS.join(', ')}.\n`)
    return EXIT.usage
  }
  shell.print(script)
  return 0
}
