import { readFileSync, statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { cardById, cards } from '../../providers/registry.ts'
import { lintFile } from './file.ts'
import type { FileFinding } from './file.ts'
import { lintTogether } from './together.ts'
import { annotations, findingsText } from './text.ts'
import { printable, UsageError, wantsColours } from '../shell.ts'
import type { Shell } from '../shell.ts'

/** Largest file, in bytes: larger than any prefix that a registration accepts. */
const MOST_BYTES = 16 * 1024 * 1024

const HELP = `pilotlight lint FILE... [options]

Finds text that makes prompt caches miss or does not belong in a prefix. Sends nothing.
FILE is a body of POST /warm, a provider's own request body (JSON), or plain text; - is standard input.

  --provider NAME  provider of the request, if the body does not show it
  --model NAME     model, if the body does not name it; sets the smallest prefix that is cached
  --json           one JSON object on stdout
  --github         annotations for GitHub Actions
  --strict         hints count as warnings

Exit code: 0 no warnings; 1 warnings; 2 a file that cannot be read, or wrong options.
docs/lint.md explains each cause.
`

/** Runs `pilotlight lint`. */
export async function lint(shell: Shell): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...shell.args],
    allowPositionals: true,
    options: {
      provider: { type: 'string' },
      model: { type: 'string' },
      json: { type: 'boolean', default: false },
      github: { type: 'boolean', default: false },
      strict: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    shell.print(HELP)
    return 0
  }
  if (positionals.length === 0) throw new UsageError('give one FILE or more; see --help')
  if (values.json && values.github) throw new UsageError('--json and --github: give only one of them')
  const { provider, model } = values
  if (provider !== undefined && cardById(provider) === undefined)
    throw new UsageError(
      `the provider "${provider}" is unknown; known providers: ${cards.map(({ id }) => id).join(', ')}`,
    )

  const files: { file: string; text: string }[] = []
  for (const file of positionals) {
    files.push({ file, text: file === '-' ? await textOf(shell.input) : readText(file) })
  }
  const asked = { provider, model, now: shell.now() }
  const found: FileFinding[] = [
    ...files.flatMap(({ file, text }) => lintFile(file, text, asked)),
    ...lintTogether(files),
  ]
  if (values.json) shell.print(`${JSON.stringify({ files: positionals.length, findings: found })}\n`)
  else if (values.github) shell.print(annotations(found))
  else shell.print(findingsText(found, positionals.length, wantsColours(shell)))
  return found.some(({ severity }) => severity === 'warning' || values.strict) ? 1 : 0
}

function readText(file: string): string {
  let bytes: Uint8Array
  try {
    const { size } = statSync(file)
    if (size > MOST_BYTES) throw new UsageError(`${printable(file)}: is larger than ${MOST_BYTES} bytes`)
    bytes = readFileSync(file)
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(
      `${printable(file)}: cannot be read (${error instanceof Error ? Reflect.get(error, 'code') : 'unknown'})`,
    )
  }
  return decoded(bytes, file)
}

async function textOf(input: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of input) {
    chunks.push(chunk)
    size += chunk.length
    if (size > MOST_BYTES) throw new UsageError(`standard input: is larger than ${MOST_BYTES} bytes`)
  }
  return decoded(Buffer.concat(chunks), 'standard input')
}

function decoded(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new UsageError(`${printable(file)}: is not UTF-8`)
  }
}
