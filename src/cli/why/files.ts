import { createHash } from 'node:crypto'
import { readFailure } from '../../contract/failure.ts'
import { member, readJson, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonNode } from '../../core/prompt/json-text.ts'
import { modelIn } from '../../usage/address.ts'
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
  // Programs that record write entries in the order of their ends, or of their pages.
  const calls = entries.flatMap((entry) => harCall(text, entry)).toSorted((a, b) => a.startedAt - b.startedAt)
  const last = calls.at(-1)
  if (last === undefined) throw new UsageError(`${printable(file)}: no entry of this HAR is a call to a model`)
  return { requests: calls.flatMap(({ origin, told }) => (origin === last.origin ? [told] : [])) }
}

/** What is told of a request, with a model for a body that names none. */
export function withModel(text: string, model: string | undefined): string {
  const root = jsonOf(text)
  if (model === undefined || root?.type !== 'object') return text
  const request = member(root, 'request') ?? root
  if (member(root, 'model') !== undefined || member(request, 'model') !== undefined) return text
  const said = `"model":${JSON.stringify(model)}`
  if (root === request && PROMPTS.some((name) => member(root, name) !== undefined)) return `{${said},"request":${text}}`
  const rest = text.trim().slice(1)
  return `{${said}${root.members.length === 0 ? '' : ','}${rest}`
}

interface HarCall {
  startedAt: number
  origin: string
  /** What is told of the request, as JSON. */
  told: string
}

/** Members of the bodies of calls to models. */
const PROMPTS = ['messages', 'input', 'contents']
/** What counts or embeds a prompt fills no cache. */
const NO_CALL = /count_?tokens|input_tokens|embed/i

/** A HAR entry as a call to a model, if it is one. Source: the HAR 1.2 specification, checked 2026-12-01. */
function harCall(text: string, entry: JsonNode): HarCall[] {
  const request = member(entry, 'request')
  const body = stringMember(member(request, 'postData'), 'text')
  const address = URL.parse(stringMember(request, 'url') ?? '')
  if (stringMember(request, 'method') !== 'POST' || body === undefined || NO_CALL.test(address?.pathname ?? ''))
    return []
  const root = jsonOf(body)
  if (root?.type !== 'object' || !PROMPTS.some((name) => member(root, name) !== undefined)) return []
  const answer = member(member(entry, 'response'), 'content')
  const framing = framingOf(stringMember(answer, 'mimeType') ?? '')
  const usage = framing === null ? null : usageIn({ head: answerText(answer), tail: null }, framing)
  const startedAt = Date.parse(stringMember(entry, 'startedDateTime') ?? '')
  const sent = list(member(request, 'headers')).map((header): [string, string] => [
    stringMember(header, 'name')?.toLowerCase() ?? '',
    stringMember(header, 'value') ?? '',
  ])
  // Keys stay in the file.
  const headers = sent.filter(([name, value]) => KEPT_HEADERS.has(name) && value !== '')
  const keys = sent.flatMap(([name, value]) => (KEY_HEADERS.has(name) && value !== '' ? [value] : []))
  const key = [...keys, ...(address?.searchParams.getAll('key') ?? [])].join('\n')
  const model = member(root, 'model') === undefined ? modelIn(address?.pathname ?? '') : null
  const status = member(member(entry, 'response'), 'status')
  const wait = [member(member(entry, 'timings'), 'send'), member(member(entry, 'timings'), 'wait')]
  const spent = wait
    .map((node) => (node === undefined ? 0 : Number(text.slice(node.start, node.end))))
    .filter((ms) => ms > 0)
  const told = {
    headers: Object.fromEntries(headers),
    ...(model === null ? {} : { model }),
    ...(key === '' ? {} : { credential: createHash('sha256').update(key).digest('base64url') }),
    ...(usage === null ? {} : { usage }),
    ...(Number.isNaN(startedAt) ? {} : { started_at: startedAt }),
    ...(Number.isNaN(startedAt) || spent.length === 0
      ? {}
      : { first_token_at: Math.round(startedAt + spent.reduce((sum, ms) => sum + ms, 0)) }),
    ...(status === undefined ? {} : { status: Number(text.slice(status.start, status.end)) }),
  }
  return [
    {
      startedAt: Number.isNaN(startedAt) ? 0 : startedAt,
      origin: address?.origin ?? '',
      told: `{"request":${body},${JSON.stringify(told).slice(1)}`,
    },
  ]
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

/** Headers with a key. Two are compared by their hash. */
const KEY_HEADERS = new Set(['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'])

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
