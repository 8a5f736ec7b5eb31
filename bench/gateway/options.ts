import { parseArgs } from 'node:util'

export interface GatewayOptions {
  /** A few calls of everything, in seconds: it shows that the bench runs, and its figures mean nothing. */
  quick: boolean
  json: boolean
}

export const GATEWAY_HELP = `npm run -s bench -- gateway [--quick] [--json]

What the gateway adds to a bare Worker, beside Portkey's gateway: time to the first byte, CPU and memory, between a mock provider and a caller on this machine.
The first run installs Portkey's gateway in bench/gateway/portkey with npm ci; nothing of it is in the product. It takes about six minutes, on Linux.

  --quick   a few calls of everything (half a minute): it shows that the bench runs, and its figures mean nothing
  --json    one JSON object on stdout and nothing else
`

/** Reads the options of the bench, or returns what is wrong with them. */
export function gatewayOptions(args: string[]): GatewayOptions | { help: true } | { wrong: string } {
  try {
    const { values } = parseArgs({
      args,
      options: {
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false, short: 'h' },
      },
    })
    return values.help ? { help: true } : { quick: values.quick, json: values.json }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return { wrong: error.message }
  }
}
