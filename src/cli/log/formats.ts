import { UsageError } from '../shell.ts'
import type { Fields, Format, Reading } from './entry.ts'
import { guesses, isPlain, PLAIN, readPlain } from './columns.ts'
import { isClaudeCode, readClaudeCode } from './claude-code.ts'
import { isCloudflare, isHelicone, isOpenrouter, isPortkey } from './gateways.ts'
import { readCloudflare, readHelicone, readOpenrouter, readPortkey } from './gateways.ts'
import { isLangfuse, readLangfuse } from './langfuse.ts'
import { isLitellm, readLitellm } from './litellm.ts'
import { isOtel, readOtel } from './otel.ts'

const one =
  (read: (fields: Fields) => Reading): ((fields: Fields) => Reading[]) =>
  (fields) => [read(fields)]

/** All formats, in the order in which they are tried. */
export const formats: readonly Format[] = [
  { name: 'plain', about: 'rows of prefix, time, tokens', is: isPlain, read: one(readPlain) },
  { name: 'otel', about: 'OpenTelemetry GenAI spans', is: isOtel, read: readOtel },
  { name: 'litellm', about: "LiteLLM's spend logs", is: isLitellm, read: one(readLitellm) },
  { name: 'langfuse', about: "Langfuse's observations", is: isLangfuse, read: one(readLangfuse) },
  { name: 'claude-code', about: 'session logs of Claude Code', is: isClaudeCode, read: one(readClaudeCode) },
  { name: 'cloudflare', about: 'logs of Cloudflare AI Gateway', is: isCloudflare, read: one(readCloudflare) },
  { name: 'helicone', about: "Helicone's requests", is: isHelicone, read: one(readHelicone) },
  { name: 'openrouter-activity', about: "OpenRouter's generations", is: isOpenrouter, read: one(readOpenrouter) },
  { name: 'portkey', about: "Portkey's exported logs", is: isPortkey, read: one(readPortkey) },
]

/** Returns the format of a log by one of its records; null when none knows it. */
export function formatOf(fields: Fields): Format | null {
  return formats.find(({ is }) => is(fields)) ?? null
}

/** Refuses a log of no known format, by its first record. */
export function unknownFormat(fields: Fields, line: number): UsageError {
  // Column names are shown only if they look like names: in a file without a header line they are data.
  const names = Object.keys(fields).filter((name) => /^[\w.-]{1,40}$/.test(name))
  const listed = names.length === 0 ? 'no column names' : names.slice(0, 8).join(', ')
  const guess = guesses(fields)
  return new UsageError(
    `line ${line}: the log has an unknown format. Expected the columns ${PLAIN.prefix[0]}, ${PLAIN.time[0]} and ${PLAIN.tokens[0]}, ` +
      `or a log of one of the tools in docs/simulate.md (--format names one); found: ${listed}. ${guess === '' ? 'Name the columns with --time, --prefix and --tokens' : guess}`,
  )
}

export function formatNamed(name: string): Format {
  const found = formats.find((format) => format.name === name)
  if (found !== undefined) return found
  throw new UsageError(`--format: "${name}" is not one of ${formats.map((format) => format.name).join(', ')}`)
}
