import { parseArgs } from 'node:util'

export interface StormOptions {
  /** Virtual time of the storm itself, without start, registration and calm. */
  hours: number
  prefixes: number
  seed: number
  /** Virtual seconds per second. */
  rate: number
  json: boolean
  /** File for all that was seen of what has findings; null: a new one, where something was found. */
  evidence: string | null
}

const RATE = 12

export const STORM_HELP = `npm run -s bench -- storm [--hours N | --minutes N] [--prefixes N] [--seed N] [--rate N] [--evidence FILE] [--json]

  --hours N      virtual hours of storm (20), at ${RATE} times real time
  --minutes N    the same in real minutes: 5 are one virtual hour at that rate
  --prefixes N   over five wire formats and four accounts (2000)
  --seed N       another order of faults (1)
  --rate N       virtual seconds per second (${RATE}): less where the machine is slow
  --evidence FILE  keeps all that was seen of what has findings here, in place of a new file among the temporary ones

Kills, changed bundles and jumps of the clock are ten, three and four in twenty hours, and in proportion below, at least two, one and two.
Exit code: 1 if anything was lost, untrue, used twice, forgotten, booked wrongly or did not stay flat.
`

/** Reads the options of the bench, or returns what is wrong with them. */
export function stormOptions(args: string[]): StormOptions | { help: true } | { wrong: string } {
  let given: {
    hours?: string
    minutes?: string
    prefixes: string
    seed: string
    rate: string
    json: boolean
    evidence?: string
    help: boolean
  }
  try {
    given = parseArgs({
      args,
      options: {
        hours: { type: 'string' },
        minutes: { type: 'string' },
        prefixes: { type: 'string', default: '2000' },
        seed: { type: 'string', default: '1' },
        rate: { type: 'string', default: String(RATE) },
        evidence: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false, short: 'h' },
      },
    }).values
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return { wrong: error.message }
  }
  if (given.help) return { help: true }
  if (given.hours !== undefined && given.minutes !== undefined) return { wrong: 'Give --hours or --minutes, not both' }
  const rate = Number(given.rate)
  if (!(rate >= 1 && rate <= 60)) return { wrong: '--rate: 1 to 60' }
  const hours = given.minutes === undefined ? Number(given.hours ?? 20) : (Number(given.minutes) * rate) / 60
  const [prefixes, seed] = [Number(given.prefixes), Number(given.seed)]
  if (!(hours >= 0.1 && hours <= 200)) return { wrong: '--hours: 0.1 to 200; --minutes: 0.5 to 1000' }
  if (!Number.isSafeInteger(prefixes) || prefixes < 5 || prefixes > 20_000)
    return { wrong: '--prefixes: a whole number, 5 to 20000' }
  if (!Number.isSafeInteger(seed) || seed < 0) return { wrong: '--seed: a whole number, 0 or more' }
  return { hours, prefixes, seed, rate, json: given.json, evidence: given.evidence ?? null }
}
