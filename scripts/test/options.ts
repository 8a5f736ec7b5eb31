/** Options of `npm test --`. */

export interface Options {
  help: boolean
  /** Commit for `--changed`: run the tests of its differences. Empty: those of uncommitted files, else of the last commit. */
  changed: string | null
  /** Number of runs of the tests that wait for something; null: run each test once. */
  repeat: number | null
  /** Arguments for vitest: filters by path, and its options. */
  rest: string[]
}

export const help = `npm test [-- OPTIONS] [FILTERS]

Without arguments: the production bundle, the types, then every test of every project, and the slowest files at the end.
With filters (parts of paths) or options of vitest: only the tests they name.

  --changed[=REF]   the types, then what a change is likely to break, in about a minute. The change is what differs from the
                    commit REF; without REF what is not committed, or else the last commit. Tests come in order of nearness
                    along imports: the changed tests themselves, those that import a changed file, those one import
                    further. As many run as the times of earlier runs let fit. It never starts whole products (e2e) and
                    rarely comes to the tests of the whole Worker (workerd), which are the furthest from most files; it
                    prints how many it leaves out, and all of them are left to npm test.
  --repeat[=N]      every test file that waits for something in the background, N times in a row (50), each time from
                    nothing; stops at the first failure and keeps its output in .state/repeat.log
  --help            this text

Ctrl-C ends a run with everything that it has started.`

/** Reads arguments. A problem is a sentence for the user. */
export function parseOptions(args: string[]): Options | { problem: string } {
  const options: Options = { help: false, changed: null, repeat: null, rest: [] }
  for (const argument of args) {
    const [name, value] = halves(argument)
    if (name === '--help' || name === '-h') options.help = true
    else if (name === '--changed') options.changed = value ?? ''
    else if (name === '--repeat') options.repeat = value === undefined ? 50 : Number(value)
    else options.rest.push(argument)
  }
  if (options.repeat !== null && !(Number.isInteger(options.repeat) && options.repeat > 0))
    return { problem: '--repeat takes a whole number above 0, as in --repeat=50.' }
  if (options.repeat !== null && options.changed !== null)
    return { problem: '--changed and --repeat do not go together.' }
  return options
}

function halves(argument: string): [name: string, value: string | undefined] {
  const at = argument.indexOf('=')
  return at < 0 ? [argument, undefined] : [argument.slice(0, at), argument.slice(at + 1)]
}
