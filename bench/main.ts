import { cpus } from 'node:os'
import type { Figure, Report } from './figure.ts'
import { say } from './figure.ts'
import { botBench } from './bot/report.ts'
import { beliefBench } from './belief/report.ts'
import { diagnoseBench } from './diagnose/report.ts'
import { gatewayBench } from './gateway/report.ts'
import { policyBench } from './policy/report.ts'
import { stormBench } from './storm/report.ts'

/** Sizes that the command line sets; absent: those of the bench. */
export type Sizes = Partial<Record<'prefixes' | 'accounts', number>>
type Bench = (sizes: Sizes) => Promise<{ figures: Figure[]; notes: string[] }>

const SIZE_OPTIONS = ['prefixes', 'accounts'] as const

const benches: Record<string, { about: string; sizes?: readonly (keyof Sizes)[]; load: () => Promise<Bench> }> = {
  spine: {
    about: 'the cost of a warm prefix on the platform, and the limits of one account (about two minutes)',
    load: async () => (await import('./spine.ts')).spine,
  },
  'managed-caches': {
    about:
      'a fleet of managed caches through a bad month in virtual time: dead handles, orphans, dollars (about a minute)',
    load: async () => (await import('./managed-caches.ts')).managedCaches,
  },
  crew: {
    about: 'crews of 2 to 64 agents warmed in four ways in the lab: head writes, dollars, first tokens (seconds)',
    load: async () => (await import('./crew.ts')).crew,
  },
  holdout: {
    about:
      'three accounts with a known saving, a hundred seeds each: how often its measurement covers it (about two minutes)',
    load: async () => (await import('./holdout.ts')).holdout,
  },
  alarms: {
    about: 'false alarms in 3,000 prefix-months, and requests until a fallen hit rate is told (about three minutes)',
    load: async () => (await import('./alarms.ts')).alarmsBench,
  },
  observe: {
    about: 'overhead of an observing fetch for the requests that it observes, as a ratio (seconds)',
    load: async () => (await import('./observe.ts')).observing,
  },
  world: {
    about: '10,000 prefixes through a bad day in virtual time, three seeds: lapses, calls, CPU (about three minutes)',
    load: async () => (await import('./world.ts')).world,
  },
  scale: {
    about:
      '20,000 prefixes in one account and 10,000 accounts, in the real runtime: what grows with size (half an hour on two shared cores; see --prefixes, --accounts)',
    sizes: ['prefixes', 'accounts'],
    load: async () => (await import('./scale/report.ts')).scaleBench,
  },
  'kill-switch': {
    about:
      'the kill switch over 10,000 accounts with due work: what is still sent one second later (a quarter of an hour; see --accounts)',
    sizes: ['accounts'],
    load: async () => (await import('./scale/kill-switch.ts')).killSwitchBench,
  },
  cpu: {
    about:
      'CPU of hostile bodies at every route that takes one, from their text to what would be stored (five minutes)',
    load: async () => (await import('./cpu/report.ts')).cpuBench,
  },
  'gateway-cost': {
    about: 'what a million calls through the gateway cost at Cloudflare, computed from its prices (at once)',
    load: async () => (await import('./gateway-cost.ts')).gatewayCost,
  },
  'gateway-leaving': {
    about: 'how long after its caller left a call of the gateway ends at the provider, in workerd alone (a minute)',
    load: async () => (await import('./gateway-leaving.ts')).gatewayLeaving,
  },
  lint: {
    about: 'false findings of lint in clean prompts, and the share of planted faults that it finds (seconds)',
    load: async () => (await import('./lint.ts')).lintBench,
  },
}

const HELP = `npm run -s bench -- NAME [--json]

${Object.entries(benches)
  .map(([name, { about }]) => `  ${name.padEnd(15)} ${about}`)
  .join('\n')}
  bot            a bot's conversation of 200 turns beside Blazen's rules: tokens read from the cache (seconds; --help)
  belief         p_warm beside what a simulated provider really keeps, by family: Brier scores (seconds; --help)
  storm          the real runtime under every fault, kill and jump of the clock: what is lost, untrue or booked wrongly (--help)
  diagnose       why requests miss, on labelled cases: right, abstained, wrong, beside two baselines (seconds; --help)
  gateway        what the gateway adds to a bare Worker, beside Portkey's: times, CPU, memory (about six minutes; --help)
  policy         the planner beside other rules and an optimal one, on traces or on generated traffic (seconds; --help)

  --json                        one JSON object on stdout and nothing else; progress goes to stderr
  --prefixes N, --accounts N    smaller sizes, for scale
`

async function main(args: string[]): Promise<number> {
  if (args[0] === 'bot') return botBench(args.slice(1), (text) => process.stdout.write(text))
  if (args[0] === 'belief') return beliefBench(args.slice(1), (text) => process.stdout.write(text))
  if (args[0] === 'diagnose') return diagnoseBench(args.slice(1), (text) => process.stdout.write(text))
  if (args[0] === 'gateway') return gatewayBench(args.slice(1), (text) => process.stdout.write(text))
  if (args[0] === 'policy') return policyBench(args.slice(1), (text) => process.stdout.write(text))
  if (args[0] === 'storm') return stormBench(args.slice(1), (text) => process.stdout.write(text))
  const { sizes, rest, wrong: wrongSize } = sizesIn(args)
  const names = rest.filter((arg) => !arg.startsWith('-'))
  const unknown = rest.filter((arg) => arg.startsWith('-') && !['--json', '--help', '-h'].includes(arg))
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(HELP)
    return 0
  }
  const bench = benches[names[0] ?? '']
  unknown.push(
    ...Object.keys(sizes)
      .filter((name) => bench?.sizes?.includes(name as keyof Sizes) !== true)
      .map((name) => `--${name}`),
  )
  if (wrongSize !== null) {
    say(`--${wrongSize} takes a whole number from 1 on.`)
    return 2
  }
  if (names.length !== 1 || unknown.length > 0 || bench === undefined) {
    const wrong = unknown[0] ?? (names.length > 1 ? names[1] : names[0])
    say(
      wrong === undefined
        ? 'Which bench? Give one name.\n'
        : `There is no ${wrong.startsWith('-') ? 'option' : 'bench'} "${wrong}".\n`,
    )
    say(HELP)
    return 2
  }
  // Tools that a bench starts print to stdout too, so their output goes to stderr: stdout has the report alone.
  const print = process.stdout.write.bind(process.stdout)
  process.stdout.write = ((text: string | Uint8Array) =>
    String(text).startsWith('[wrangler:info]') || process.stderr.write(text)) as typeof process.stdout.write
  const startedAt = new Date()
  const { figures, notes } = await (await bench.load())(sizes)
  const report: Report = {
    bench: names[0] ?? '',
    machine: `${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), Node ${process.versions.node}, ${process.platform}`,
    startedAt: startedAt.toISOString(),
    tookS: Math.round((Date.now() - startedAt.getTime()) / 100) / 10,
    figures,
    notes,
  }
  print(args.includes('--json') ? `${JSON.stringify(report)}\n` : tableOf(report))
  return 0
}

/** Takes `--prefixes N` and `--accounts N` out of the arguments. `wrong`: one that has no such number; null: none. */
function sizesIn(args: readonly string[]): { sizes: Sizes; rest: string[]; wrong: string | null } {
  const [sizes, rest]: [Sizes, string[]] = [{}, []]
  let wrong: string | null = null
  for (let at = 0; at < args.length; at++) {
    const name = SIZE_OPTIONS.find((one) => args[at] === `--${one}`)
    if (name === undefined) rest.push(args[at] ?? '')
    else {
      const value = Number(args[++at])
      if (Number.isInteger(value) && value >= 1) sizes[name] = value
      else wrong = name
    }
  }
  return { sizes, rest, wrong }
}

function tableOf({ bench, machine, startedAt, tookS, figures, notes }: Report): string {
  const width = Math.max(...figures.map(({ name }) => name.length))
  const values = figures.map(({ value, unit }) => `${spell(value)} ${unit}`.trim())
  const wide = Math.max(...values.map((value) => value.length))
  const rows = figures.map(({ name, aim, how }, index) => {
    const head = `${name.padEnd(width)}  ${(values[index] ?? '').padStart(wide)}`
    return `${head}${aim === undefined ? '' : `  (aim ${aim})`}\n${' '.repeat(4)}${how}`
  })
  return `bench ${bench}, ${startedAt}, ${tookS} s\n${machine}\n\n${rows.join('\n')}\n\n${notes.map((note) => `- ${note}\n`).join('')}`
}

function spell(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString('en-US')
  return value.toPrecision(Math.abs(value) >= 100 ? 4 : 3)
}

process.exitCode = await main(process.argv.slice(2))
