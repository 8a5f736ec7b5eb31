import type { Shell } from './shell.ts'
import { UsageError } from './shell.ts'

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

const HELP = `pilotlight COMMAND [options]

${Object.entries(commands)
  .map(([name, { about }]) => `  ${name.padEnd(10)} ${about}`)
  .join('\n')}

  Run pilotlight COMMAND --help for details.
`

/** Runs the program and returns its exit code. 2: wrong usage, with a message that says how to correct it. */
export async function main(shell: Shell): Promise<number> {
  const [name, ...args] = shell.args
  if (name === '--help' || name === '-h' || name === 'help') {
    shell.print(HELP)
    return 0
  }
  const command = Object.hasOwn(commands, name ?? '') ? commands[name ?? ''] : undefined
  if (command === undefined) {
    shell.tell(name === undefined ? `${HELP}` : `There is no command "${name}".\n\n${HELP}`)
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
