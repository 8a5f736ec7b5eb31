import { readFailure } from '../../contract/failure.ts'
import { member, readJson, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonNode } from '../../core/prompt/json-text.ts'
import { framingOf, usageIn } from '../../usage/find.ts'
import { printable, UsageError } from '../shell.ts'

/** What a file holds: one request, two, or many without their bodies. */
export type Told = { requests: string[] } | { transcript: Call[] }

/** A call in a transcript, without its body. */
export interface Call {
  startedAt: number
  model: string
  /** A call of a sub-agent. */
  side: boolean
  usage: Record<string, unknown>
  id: string | null
  diagnostics: unknown
}

/** Reads a file: a provider's body, what is told of a request, a recorded pair, HAR, or a transcript of JSON lines. */
export function readFile(file: string, text: string): Told {
  const root = jsonOf(text)
  if (root === null) return { transcript: transcriptOf(file, text) }
  if (root.type !== 'object') throw new UsageError(`${printable(file)}: must hold a JSON object, or one on each line`)
  const [before, after] = [member(root, 'before'), member(root, 'after')]
  if (before !== undefined && after !== undefined) return { requests: [cut(text, before), cut(text, after)] }
  const log = member(root, 'log')
  const entries = log === undefined ? [root] : list(member(log, 'entries'))
  const isHar = log !== undefined || member(root, 'startedDateTime') !== undefined
  if (!isHar) return { requests: [text] }
  const requests = entries.flatMap((entry) => harRequest(text, entry))
  if (requests.length === 0) throw new UsageError(`${printable(file)}: no entry of this HAR has a JSON body`)
  return { requests }
}

/** A HAR entry as what is told of a request. Source: the HAR 1.2 specification, checked 2026-12-01. */
function harRequest(text: string, entry: JsonNode): string[] {
  const request = member(entry, 'request')
  const body = stringMember(member(request, 'postData'), 'text')
  if (stringMember(request, 'method') !== 'POST' || body === undefined || !/^\s*\{/.test(body)) return []
  const answer = member(member(entry, 'response'), 'content')
  const framing = framingOf(stringMember(answer, 'mimeType') ?? '')
  const usage = framing === null ? null : usageIn({ head: answerText(answer), tail: null }, framing)
  const startedAt = Date.parse(stringMember(entry, 'startedDateTime') ?? '')
  const headers = list(member(request, 'headers')).flatMap((header): [string, string][] => {
    const [name, value] = [stringMember(header, 'name')?.toLowerCase() ?? '', stringMember(header, 'value') ?? '']
    // Keys stay in the file.
    return KEPT_HEADERS.has(name) && value !== '' ? [[name, value]] : []
  })
  const status = member(member(entry, 'response'), 'status')
  const wait = [member(member(entry, 'timings'), 'send'), member(member(entry, 'timings'), 'wait')]
  const spent = wait
    .map((node) => (node === undefined ? 0 : Number(text.slice(node.start, node.end))))
    .filter((ms) => ms > 0)
  const told = {
    headers: Object.fromEntries(headers),
    ...(usage === null ? {} : { usage }),
    ...(Number.isNaN(startedAt) ? {} : { started_at: startedAt }),
    ...(Number.isNaN(startedAt) || spent.length === 0
      ? {}
      : { first_token_at: Math.round(startedAt + spent.reduce((sum, ms) => sum + ms, 0)) }),
    ...(status === undefined ? {} : { status: Number(text.slice(status.start, status.end)) }),
  }
  return [`{"request":${body},${JSON.stringify(told).slice(1)}`]
}

function answerText(answer: JsonNode | undefined): string {
  const text = stringMember(answer, 'text') ?? ''
  return stringMember(answer, 'encoding') === 'base64' ? Buffer.from(text, 'base64').toString('utf8') : text
}

/** Headers that say something of the cache. */
const KEPT_HEADERS = new Set([
  'anthropic-beta',
  'x-session-affinity',
  'x-grok-conv-id',
  'session_id',
  'conversation_id',
])

/** Calls of a session log: JSON lines with a usage and a time. A call that is logged in several lines counts once. */
function transcriptOf(file: string, text: string): Call[] {
  const calls = new Map<string, Call>()
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    if (line.trim() === '') continue
    const record = parsed(line)
    // A session that still runs may end within a line.
    const found = record === null ? null : callOf(record)
    if (found !== null) calls.set(found.id ?? `line ${index}`, found)
  }
  if (calls.size < 2) {
    throw new UsageError(
      `${printable(file)}: is neither a JSON body nor a transcript with two calls or more; see --help`,
    )
  }
  return [...calls.values()].toSorted((a, b) => a.startedAt - b.startedAt)
}

function callOf(record: Record<string, unknown>): Call | null {
  const message = fields(record['message']) ?? fields(record['response']) ?? record
  const usage = fields(message['usage']) ?? fields(record['usage'])
  const time = ['timestamp', 'startTime', 'start_time', 'created_at', 'time']
    .map((name) => record[name])
    .find((one) => one !== undefined)
  const startedAt = typeof time === 'number' ? (time < 1e11 ? time * 1_000 : time) : Date.parse(String(time))
  const isPlaceholder = typeof message['model'] === 'string' && message['model'].startsWith('<')
  if (usage === null || Number.isNaN(startedAt) || isPlaceholder) return null
  const [model, id] = [message['model'] ?? record['model'], message['id'] ?? record['id']]
  return {
    startedAt,
    model: typeof model === 'string' ? model : '',
    usage,
    side: record['isSidechain'] === true,
    id: typeof id === 'string' ? id : null,
    diagnostics: message['diagnostics'] ?? message['prompt_cache_diagnostics'],
  }
}

function jsonOf(text: string): JsonNode | null {
  try {
    return readJson(text)
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return null
  }
}

function parsed(line: string): Record<string, unknown> | null {
  try {
    return fields(JSON.parse(line))
  } catch {
    return null
  }
}

function fields(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null
}

function list(node: JsonNode | undefined): readonly JsonNode[] {
  return node?.type === 'array' ? node.items : []
}

function cut(text: string, node: JsonNode): string {
  return text.slice(node.start, node.end)
}
