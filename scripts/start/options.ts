/** Options of `npm start --`. */
import { parseArgs } from 'node:util'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/core/time/time.ts'

export interface Options {
  /** Virtual seconds per real second; null: the default for the lab or for real providers. */
  speed: number | null
  /** True: register the samples. Null: only without a real provider. */
  samples: boolean | null
  port: number
  labPort: number
  /** Virtual time after which to stop; null: run until Ctrl-C. */
  forMs: number | null
  json: boolean
  help: boolean
  /** Folder of the state; null: chosen by the real providers. */
  state: string | null
  /** File with keys, in the format of .dev.vars. */
  devVars: string
}

export const maxSpeed = 120

export const help = `npm start [-- OPTIONS]

Starts Pilotlight in the local runtime, with a lab standing for the providers, and keeps three sample prefixes warm.

  --speed N         virtual seconds per real second, 1 to ${maxSpeed}; 12 with the lab, always 1 with a real provider
  --samples         register the sample prefixes also when a provider is real; prints the price first
  --no-samples      do not register them
  --port N          port of Pilotlight (8787; or PORT)
  --lab-port N      port of the lab (8788; or LAB_PORT)
  --for 90m         stop after this much virtual time, with a summary (s, m, h or d)
  --once            the same as --for 10m
  --json            print the summary as one JSON object on standard output; everything else goes to standard error
  --state DIR       keep the state here instead of .state
  --dev-vars FILE   read keys from here instead of .dev.vars
  --help            this text

With ANTHROPIC_API_KEY, OPENAI_API_KEY or GEMINI_API_KEY in .dev.vars those providers are real, and nothing is sent to them
unless you ask. Ctrl-C stops everything; the next start continues where this one ended.`

/** Reads arguments and environment. A problem is a sentence for the user. */
export function parseOptions(args: string[], env: NodeJS.ProcessEnv): Options | { problem: string } {
  let values
  try {
    values = parseArgs({
      args,
      allowPositionals: false,
      options: {
        speed: { type: 'string' },
        samples: { type: 'boolean' },
        'no-samples': { type: 'boolean' },
        port: { type: 'string' },
        'lab-port': { type: 'string' },
        for: { type: 'string' },
        once: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        state: { type: 'string' },
        'dev-vars': { type: 'string' },
      },
    }).values
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }

  const speed = values.speed === undefined ? null : Number(values.speed)
  if (speed !== null && !(speed >= 1 && speed <= maxSpeed))
    return { problem: `--speed takes a number from 1 to ${maxSpeed}.` }
  if (values.samples && values['no-samples']) return { problem: '--samples and --no-samples exclude each other.' }

  const port = readPort(values.port, env['PORT'], 8787)
  if (port === null) return { problem: '--port (or PORT) takes a port number from 1 to 65535.' }
  const labPort = readPort(values['lab-port'], env['LAB_PORT'], 8788)
  if (labPort === null) return { problem: '--lab-port (or LAB_PORT) takes a port number from 1 to 65535.' }
  if (port === labPort) return { problem: `Pilotlight and the lab need a port each; both were given ${port}.` }

  const length = values.for ?? (values.once ? '10m' : undefined)
  const forMs = length === undefined ? null : readDuration(length)
  if (length !== undefined && forMs === null) return { problem: '--for takes a duration such as 90s, 10m, 2h or 1d.' }

  return {
    speed,
    samples: values.samples ? true : values['no-samples'] ? false : null,
    port,
    labPort,
    forMs,
    json: values.json ?? false,
    help: values.help ?? false,
    state: values.state ?? null,
    devVars: values['dev-vars'] ?? '.dev.vars',
  }
}

function readPort(option: string | undefined, variable: string | undefined, usual: number): number | null {
  const text = option ?? (variable === '' ? undefined : variable)
  if (text === undefined) return usual
  const port = Number(text)
  return /^\d+$/.test(text) && port >= 1 && port <= 65_535 ? port : null
}

const unitsMs = { s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }

function readDuration(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text)
  if (match === null) return null
  const ms = Number(match[1]) * unitsMs[match[2] as keyof typeof unitsMs]
  return ms > 0 ? ms : null
}
