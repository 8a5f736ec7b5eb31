import { Command, CommanderError } from 'commander'
import { adminCommands } from './commands/admin.ts'
import { botCommands } from './commands/bots.ts'
import { Call } from './commands/command.ts'
import type { Flags, Spec } from './commands/command.ts'
import { crewCommands } from './commands/crew.ts'
import { doctorCommands } from './commands/doctor.ts'
import { initCommands } from './commands/init.ts'
import { listCommands } from './commands/lists.ts'
import { liveCommands } from './commands/live.ts'
import { prefixCommands } from './commands/prefixes.ts'
import { rawCommands } from './commands/raw.ts'
import { CommandError, EXIT } from './remote/exit.ts'
import { printable } from './shell.ts'
import type { Shell } from './shell.ts'

/** Every command that asks a deployment, in the order of `--help`. */
export const remoteCommands: readonly Spec[] = [
  ...initCommands,
  ...doctorCommands,
  ...prefixCommands,
  ...liveCommands,
  ...crewCommands,
  ...listCommands,
  ...botCommands,
  ...adminCommands,
  ...rawCommands,
]

export function nameOfSpec({ usage }: Pick<Spec, 'usage'>): string {
  return usage.split(' ')[0] ?? usage
}

/** What every command takes. */
export const COMMON = [
  ['--json', 'one JSON document on stdout, and nothing else'],
  ['--url <url>', 'the deployment; else PILOTLIGHT_URL, .pilotlight.json, ~/.config/pilotlight/config.json'],
  ['--key-file <path>', 'file with the key; else PILOTLIGHT_KEY or PILOTLIGHT_ADMIN_KEY, and the same files'],
] as const

/** Runs one command and returns its exit code. */
export async function runRemote(spec: Spec, shell: Shell): Promise<number> {
  const name = nameOfSpec(spec)
  let code: number = EXIT.done
  const command = new Command(`pilotlight ${name}`)
    .description(`${spec.about[0]?.toUpperCase() ?? ''}${spec.about.slice(1)}.`)
    .exitOverride()
    .configureOutput({ writeOut: (text) => shell.print(text), writeErr: (text) => shell.tell(text) })
    .showHelpAfterError(`(pilotlight ${name} --help shows how)`)
    .addHelpText('after', `\nExample:\n  ${spec.example}`)
  for (const argument of spec.usage.split(' ').slice(1)) command.argument(argument)
  for (const [flags, about] of [...(spec.options ?? []), ...COMMON]) command.option(flags, about)
  command.action(async (...given: unknown[]) => {
    const args = given.slice(0, -2) as (string | undefined)[]
    code = await spec.run(new Call(shell, args, given.at(-2) as Flags))
  })
  try {
    await command.parseAsync([...shell.args], { from: 'user' })
    return code
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.done : EXIT.usage
    if (!(thrown instanceof CommandError)) throw thrown
    shell.tell(`pilotlight ${name}: ${printable(thrown.message)}\n`)
    return thrown.exit
  }
}
