import { UsageError } from '../shell.ts'
import type { Fields, Reading } from './entry.ts'
import { isLangfuse, readLangfuse } from './langfuse.ts'
import { isLitellm, readLitellm } from './litellm.ts'
import { isOtel, readOtel } from './otel.ts'
import { isPlain, PLAIN, readPlain } from './plain.ts'

/** A log format: how its records are recognised and read. */
export interface Format {
  name: string
  about: string
  is(fields: Fields): boolean
  read(fields: Fields): Reading[]
}

const one =
  (read: (fields: Fields) => Reading): ((fields: Fields) => Reading[]) =>
  (fields) => [read(fields)]

/** All formats, in the order in which they are tried. */
export const formats: readonly Format[] = [
  { name: 'plain', about: 'rows of prefix, time, tokens', is: isPlain, read: one(readPlain) },
  { name: 'otel', about: 'OpenTelemetry GenAI spans', is: isOtel, read: readOtel },
  { name: 'litellm', about: "LiteLLM's spend logs", is: isLitellm, read: one(readLitellm) },
  { name: 'langfuse', about: "Langfuse's observations", is: isLangfuse, read: one(readLangfuse) },
]

/** Returns the format of a log, by its first record. */
export function formatOf(fields: Fields, line: number): Format {
  const found = formats.find(({ is }) => is(fields))
  if (found !== undefined) return found
  // Column names are shown only if they look like names: in a file without a header line they are data.
  const names = Object.keys(fields).filter((name) => /^[\w.-]{1,40}$/.test(name))
  const listed = names.length === 0 ? 'no column names' : names.slice(0, 8).join(', ')
  throw new UsageError(
    `line ${line}: the log has an unknown format. Expected the columns ${PLAIN.prefix[0]}, ${PLAIN.time[0]} and ${PLAIN.tokens[0]}, ` +
      `or an export of LiteLLM, Langfuse or OpenTelemetry (--format names one); found: ${listed}`,
  )
}

export function formatNamed(name: string): Format {
  const found = formats.find((format) => format.name === name)
  if (found !== undefined) return found
  throw new UsageError(`--format: "${name}" is not one of ${formats.map((format) => format.name).join(', ')}`)
}
