import { createReadStream, statSync, writeFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { counted, simulationText } from './text.ts'
import { formats } from '../log/formats.ts'
import { JOINED_MS } from '../log/runs.ts'
import { LARGEST_RECORD } from '../log/records.ts'
import { LIMITS, readLog, unusedWords } from '../log/traffic.ts'
import type { Log } from '../log/traffic.ts'
import { cardNamed } from '../../providers/registry.ts'
import { pricesOf, providerIds } from './prices.ts'
import type { Priced } from './prices.ts'
import { progressOn } from './progress.ts'
import { printable, UsageError, wantsColours } from '../shell.ts'
import type { Shell } from '../shell.ts'
import { simulationHtml } from './html.ts'
import { simulationJson } from './json.ts'
import { simulate as replayed } from './simulation.ts'
import type { Simulation } from './simulation.ts'

const HELP = `pilotlight simulate LOG [options]

Replays a log of your own requests under every plan. Shows what each plan would have cost and saved.
LOG is a file (optionally compressed with gzip) or - for standard input. It is CSV, JSONL or JSON of
${formats.map(({ name, about }) => `  ${name.padEnd(9)} ${about}`).join('\n')}

  --provider NAME       provider whose prices are used; overrides the log
  --model NAME          model whose prices are used; overrides the log
  --prices NAME/MODEL   both in one option
  --tokens N            size of each prefix, if the log has only whole prompts or no counts
  --latency-value USD   value of an avoided cold start in addition to its tokens (0)
  --format NAME         ${formats.map(({ name }) => name).join(', ')}; detected from the content if absent
  --top N               number of prefixes that are shown one by one (20)
  --html FILE           write a page with charts
  --json                one JSON object on stdout
  --strict              stop at the first unusable record instead of skipping it

At most ${LIMITS.prefixes.toLocaleString('en-US')} prefixes and ${LIMITS.gaps.toLocaleString('en-US')} idle gaps of more than ${JOINED_MS / 1000} s; one record at most ${LARGEST_RECORD / 1024 / 1024} MiB.
docs/simulate.md says how to read the result.
`

/** Width of the output, in columns, when stdout is no terminal. */
const PLAIN_COLUMNS = 100

/** Runs `pilotlight simulate`. */
export async function simulate(shell: Shell): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...shell.args],
    allowPositionals: true,
    options: {
      format: { type: 'string' },
      provider: { type: 'string' },
      model: { type: 'string' },
      prices: { type: 'string' },
      tokens: { type: 'string' },
      'latency-value': { type: 'string', default: '0' },
      top: { type: 'string', default: '20' },
      html: { type: 'string' },
      json: { type: 'boolean', default: false },
      strict: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    shell.print(HELP)
    return 0
  }
  const path = positionals[0]
  if (path === undefined || positionals.length > 1)
    throw new UsageError(`give one LOG${path === undefined ? '' : `, not ${positionals.length}`}; see --help`)
  if (values.html !== undefined && resolve(values.html) === resolve(path))
    throw new UsageError('--html: this file is the log; name another file')
  const tokens = values.tokens === undefined ? null : wholeFrom('--tokens', values.tokens, 1, 100_000_000)
  const top = wholeFrom('--top', values.top, 0, 100_000)
  const latencyNanos = Math.round(usdFrom('--latency-value', values['latency-value']) * 1e9)
  const prices = pricesAsked(values, shell.now())

  const { bytes, size } = opened(path, shell)
  const progress = progressOn(shell)
  const counting = async function* (): AsyncGenerator<Uint8Array> {
    let read = 0
    for await (const chunk of bytes) {
      read += chunk.length
      progress.reading(read, size)
      yield chunk
    }
  }
  const { format, strict } = values
  let log: Log
  try {
    log = await readLog(counting(), { strict, ...(format === undefined ? {} : { format }) })
  } finally {
    progress.end()
  }
  for (const fault of log.unusable) {
    const count = counted(fault.count, 'record', 'records')
    shell.tell(`${count} skipped because they cannot be used. The first: ${unusedWords(fault)}.\n`)
  }
  for (const [what, count] of Object.entries(log.leftOut)) shell.tell(`Left out: ${what} (${count}).\n`)

  const result = replayed(log, {
    prices,
    tokens,
    latencyNanos,
    top,
    progress: (done) => progress.replaying(done, log.prefixes.length),
  })
  progress.end()
  if (result.models.length === 0) throw new UsageError(nothingPriced(result))
  const name = path === '-' ? 'standard input' : printable(basename(path))
  if (values.html !== undefined) {
    written(values.html, simulationHtml(result, name, log.format))
    shell.tell(`Wrote ${values.html}.\n`)
  }
  if (values.json) {
    shell.print(`${JSON.stringify(simulationJson(result, log, latencyNanos))}\n`)
  } else {
    const columns = shell.stdout.columns ?? PLAIN_COLUMNS
    shell.print(simulationText(result, name, log.format, { columns, colours: wantsColours(shell) }))
  }
  return 0
}

/** Chooses the prices: of one given model, of the log's models at one given provider, or of the log's models and providers. */
function pricesAsked(
  {
    prices,
    provider,
    model,
  }: { prices?: string | undefined; provider?: string | undefined; model?: string | undefined },
  now: number,
): (provider: string | null, model: string | null) => Priced {
  if (prices !== undefined && (provider !== undefined || model !== undefined))
    throw new UsageError('--prices gives both; omit --provider and --model')
  const slash = prices?.indexOf('/') ?? -1
  if (prices !== undefined && slash < 1)
    throw new UsageError('--prices: expected PROVIDER/MODEL, such as anthropic/claude-opus-4-8')
  const asked =
    prices === undefined ? { provider, model } : { provider: prices.slice(0, slash), model: prices.slice(slash + 1) }
  if (asked.provider !== undefined && cardNamed(asked.provider) === undefined)
    throw new UsageError(`the provider "${asked.provider}" is unknown; known providers: ${providerIds.join(', ')}`)
  if (asked.model !== undefined) {
    const one = pricesOf(asked.provider ?? null, asked.model, now)
    if ('unknown' in one)
      throw new UsageError(
        `the price of "${asked.model}" is unknown: ${one.unknown}. docs/providers.md lists the cards`,
      )
    return () => one
  }
  return remembered((itsProvider, itsModel) => pricesOf(asked.provider ?? itsProvider, itsModel, now))
}

/** Caches the prices, because a log names few models many times. */
function remembered(prices: (provider: string | null, model: string | null) => Priced): typeof prices {
  const known = new Map<string, Priced>()
  return (provider, model) => {
    const key = JSON.stringify([provider, model])
    const found = known.get(key) ?? prices(provider, model)
    known.set(key, found)
    return found
  }
}

function nothingPriced({ unpriced, tooSmall, unsized }: Simulation): string {
  if (unsized.prefixes > 0)
    return 'nothing can be computed: the log does not contain the size of prefixes. Give it with --tokens N'
  const [price, small] = [unpriced[0], tooSmall[0]]
  if (price !== undefined) {
    const name = [price.provider, price.model].filter((part) => part !== null).join(' ')
    return (
      `nothing can be computed: the price is unknown (${name === '' ? '' : `${name}: `}${price.why}). ` +
      'Give a known provider and model, as in --provider anthropic --model claude-opus-4-8'
    )
  }
  return `nothing can be computed: the prefixes are too small to be cached${small === undefined ? '' : ` (${small.why})`}`
}

function opened(path: string, { input }: Shell): { bytes: AsyncIterable<Uint8Array>; size: number | null } {
  if (path === '-') return { bytes: input, size: null }
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) throw new UsageError(`there is no file ${path}`)
  if (found.isDirectory()) throw new UsageError(`${path} is a folder; name one file`)
  return { bytes: createReadStream(path, { highWaterMark: 1024 * 1024 }), size: found.isFile() ? found.size : null }
}

function written(path: string, text: string): void {
  try {
    writeFileSync(path, text)
  } catch (error) {
    throw new UsageError(`--html: cannot write ${path} (${String(Reflect.get(Object(error), 'code') ?? 'unknown')})`)
  }
}

function wholeFrom(option: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new UsageError(`${option}: expected a whole number from ${least} to ${most}`)
}

function usdFrom(option: string, text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (value <= 1_000_000) return value
  throw new UsageError(`${option}: expected a number of US dollars from 0 to 1000000`)
}
