import { readFileSync, statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { RawJson } from '../../contract/raw-json.ts'
import { readFailure } from '../../contract/failure.ts'
import { diagnoseRequests } from '../../diagnosis/diagnose.ts'
import type { DiagnosisJson } from '../../diagnosis/diagnose.ts'
import { CONFIDENT } from '../../core/diagnosis/verdicts.ts'
import { makers } from '../../providers/registry.ts'
import { printable, UsageError, wantsColours } from '../shell.ts'
import type { Shell } from '../shell.ts'
import { readFile, withModel } from './files.ts'
import type { Call } from './files.ts'
import { verdictText } from './text.ts'

const MOST_BYTES = 64 * 1024 * 1024

const HELP = `pilotlight why BEFORE [AFTER] [options]

Says why the request AFTER did not read the prompt cache that BEFORE had filled. Sends nothing.
A file is a provider's request body, an object with "request", "usage" and "started_at", a HAR entry or file, or - for
standard input. One file alone holds both: { "before": …, "after": … }, a HAR file (the last two calls to
one host), or a transcript in JSON lines, such as Claude Code's. A transcript has no bodies: its calls are judged by usage and clock.

  --provider NAME  provider of the requests, if the bodies do not show it
  --model NAME     model of bodies that name none, as at Gemini and Bedrock
  --json           one JSON object on stdout

Exit code: 0 no miss, 1 a miss, 2 not known, 64 wrong usage. docs/misses.md explains each verdict.

  pilotlight why monday.json tuesday.json
`

const USAGE = 64

/** Runs `pilotlight why`. */
export async function why(shell: Shell): Promise<number> {
  try {
    return await asked(shell)
  } catch (error) {
    const misused = error instanceof TypeError && String(Reflect.get(error, 'code')).startsWith('ERR_PARSE_ARGS')
    const failure = readFailure(error)
    if (!misused && !(error instanceof UsageError) && failure === null) throw error
    shell.tell(`pilotlight why: ${failure?.message ?? (error instanceof Error ? error.message : '')}\n`)
    return USAGE
  }
}

async function asked(shell: Shell): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...shell.args],
    allowPositionals: true,
    options: {
      provider: { type: 'string' },
      model: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    shell.print(HELP)
    return 0
  }
  if (positionals.length === 0 || positionals.length > 2)
    throw new UsageError('give BEFORE and AFTER, or one file with both; see --help')
  const told = await Promise.all(positionals.map(async (file) => readFile(file, await textOf(shell, file))))
  const [only] = told
  if (told.length === 1 && only !== undefined && 'transcript' in only) return transcript(shell, only.transcript, values)
  const requests = told.flatMap((one) => {
    if ('transcript' in one) throw new UsageError('a transcript is read alone: it holds both requests')
    return told.length === 2 ? one.requests.slice(-1) : one.requests.slice(-2)
  })
  const [before, after] = requests
  if (before === undefined || after === undefined) throw new UsageError('one request is not enough; give AFTER too')
  const { model } = values
  const body = { before: new RawJson(withModel(before, model)), after: new RawJson(withModel(after, model)) }
  const found = diagnoseRequests(
    { ...body, ...(values.provider === undefined ? {} : { provider: values.provider }) },
    shell.now(),
  )
  shell.print(values.json ? `${JSON.stringify(found)}\n` : verdictText(found, wantsColours(shell)))
  return exitCode(found)
}

function exitCode({ verdict, confidence }: DiagnosisJson): number {
  if (verdict === 'no_miss') return 0
  return verdict === 'unknown' || confidence < CONFIDENT ? 2 : 1
}

/** Judges each call of a transcript beside the one before it, and shows what was found by verdict, and the last miss. */
function transcript(
  shell: Shell,
  calls: readonly Call[],
  { provider, json }: { provider?: string | undefined; json: boolean },
): number {
  const found = calls.slice(1).flatMap((call, index) => {
    // Another model, and a sub-agent, has a prompt of its own.
    const before = calls.slice(0, index + 1).findLast(({ model, side }) => model === call.model && side === call.side)
    if (before === undefined) return []
    const told = (one: Call): RawJson =>
      new RawJson(
        JSON.stringify({
          ...(one.model === '' ? {} : { model: one.model }),
          usage: one.usage,
          started_at: one.startedAt,
          ...(one.diagnostics == null ? {} : { diagnostics: one.diagnostics }),
        }),
      )
    const named = provider ?? makerOf(call.model)
    return [
      {
        at: new Date(call.startedAt).toISOString(),
        ...diagnoseRequests({ provider: named, before: told(before), after: told(call) }, shell.now()),
      },
    ]
  })
  const misses = found.filter(({ verdict }) => verdict !== 'no_miss')
  const by = Map.groupBy(misses, ({ verdict }) => verdict)
  const sums = [...by].map(([verdict, same]) => ({
    verdict,
    count: same.length,
    lost_tokens: same.reduce((sum, one) => sum + (one.lost_tokens ?? 0), 0),
    cost_usd: same.reduce((sum, one) => sum + (one.cost_usd ?? 0), 0),
  }))
  const note = "A transcript has no bodies: these verdicts rest on usage, clock and the provider's own words alone."
  const last = misses.at(-1)
  if (json)
    shell.print(
      `${JSON.stringify({ calls: calls.length, misses: misses.length, by_verdict: sums, last: last ?? null, note })}\n`,
    )
  else {
    const rows = sums
      .toSorted((a, b) => b.lost_tokens - a.lost_tokens)
      .map(
        ({ verdict, count, lost_tokens, cost_usd }) =>
          `  ${verdict.padEnd(22)} ${String(count).padStart(5)}  ${lost_tokens.toLocaleString('en-US').padStart(12)} tokens  $${cost_usd.toFixed(2)}\n`,
      )
    shell.print(
      `${calls.length} calls, of which ${misses.length} did not read what the one before had left.\n${rows.join('')}${note}\n`,
    )
    if (last !== undefined) shell.print(`\nThe last one, ${last.at}:\n${verdictText(last, wantsColours(shell))}`)
  }
  if (misses.length === 0) return 0
  return misses.some((one) => exitCode(one) === 1) ? 1 : 2
}

function makerOf(model: string): string {
  const found = makers.find(({ models }) =>
    models.some(({ models: names }) => names.some((name) => matches(name, model))),
  )
  if (found === undefined) throw new UsageError('the transcript does not show its provider; name it with --provider')
  return found.id
}

function matches(pattern: string, model: string): boolean {
  return pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : model === pattern
}

async function textOf(shell: Shell, file: string): Promise<string> {
  const bytes = file === '-' ? await all(shell.input) : fromDisk(file)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new UsageError(`${printable(file)}: is not UTF-8`)
  }
}

function fromDisk(file: string): Uint8Array {
  try {
    if (statSync(file).size > MOST_BYTES) throw new UsageError(`${printable(file)}: is larger than ${MOST_BYTES} bytes`)
    return readFileSync(file)
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(
      `${printable(file)}: cannot be read (${error instanceof Error ? Reflect.get(error, 'code') : 'unknown'})`,
    )
  }
}

async function all(input: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of input) chunks.push(chunk)
  return Buffer.concat(chunks)
}
