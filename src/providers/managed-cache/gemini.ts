import { failureValue } from '../../contract/failure.ts'
import { Failure } from '../../contract/failure.ts'
import { edit, objectEdits } from '../../core/prompt/json-edit.ts'
import { member } from '../../core/prompt/json-text.ts'
import type { StorageRate } from '../../core/model/storage-price.ts'
import { stringOf, unreadable } from '../dialects/shared/answer.ts'
import {
  invalid,
  joinStreams,
  limitTools,
  memberStream,
  modelOf,
  objectList,
  otherMembers,
  readBody,
  sizeOf,
} from '../dialects/shared/body.ts'
import { geminiContent } from '../dialects/gemini-content/dialect.ts'
import { geminiReferences } from './references.ts'
import { NANOS_PER_USD } from '../../core/model/price.ts'
import { count, fields } from '../dialects/shared/usage.ts'
import type {
  ManagedCacheDialect,
  ManagedCacheError,
  ManagedCacheRequest,
  ListedManagedCache,
  PreparedManagedCache,
} from './dialect.ts'

/**
 * Gemini's `cachedContents` with an AI Studio key. Sources, checked 2026-11-21: ai.google.dev caching and api/caching pages;
 * the types of npm @google/genai 3.1.0. Reads do not extend a cache, and an expired one cannot be revived. A cache that is
 * missing, expired or another key's is answered with 403 instead of 404 (public issue threads).
 */
export const geminiManagedCaches = cachedContents({
  collection: '/v1beta/cachedContents',
  baseOf: (baseUrl) => baseUrl,
  name: /^cachedContents\/([A-Za-z0-9_-]{1,200})$/,
  modelName: (model) => `models/${model}`,
  readError,
})

/** Differences between Google's two services. */
export interface Service {
  /** Path of the collection, below `baseOf`. */
  collection: string
  baseOf(baseUrl: string): string
  /** Matches the name of a cache, and captures its last part. */
  name: RegExp
  modelName(model: string, baseUrl: string): string
  readError(status: number, headers: Headers, text: string): ManagedCacheError
}

/** The dialect of `cachedContents` at one of Google's services. */
export function cachedContents({ collection, baseOf, name: shape, modelName, readError: read }: Service) {
  /** The name becomes part of a path, so it must match exactly. */
  const pathOf = (name: string): string => {
    const id = shape.exec(name)?.[1]
    if (id === undefined) throw new Failure('internal', 'this is not the name of a handle')
    return `${collection}/${id}`
  }
  const call = (method: 'GET' | 'DELETE', name: string): ManagedCacheRequest => ({
    method,
    path: pathOf(name),
    body: '',
  })
  const create = (prepared: Contents, displayName: string, ttlMs: number, baseUrl = ''): ManagedCacheRequest => {
    const model = modelName(prepared.model, baseUrl)
    return { method: 'POST', path: collection, body: creation(prepared.text, model, displayName, ttlMs) }
  }
  return {
    baseOf,
    prepare,
    create,
    get: (name) => call('GET', name),
    renew: (name, ttlMs) => ({
      method: 'PATCH',
      path: `${pathOf(name)}?updateMask=ttl`,
      body: `{"ttl":${JSON.stringify(secondsText(ttlMs))}}`,
    }),
    remove: (name) => call('DELETE', name),
    list: (pageToken) => ({
      method: 'GET',
      path: `${collection}?pageSize=100${pageToken === null ? '' : `&pageToken=${encodeURIComponent(pageToken)}`}`,
      body: '',
    }),
    read: (text) => readOne(parsed(text), shape),
    readList: (text) => readList(text, shape),
    readError: read,
    references: geminiReferences,
    storageRates,
  } satisfies ManagedCacheDialect & { create: typeof create }
}

type Contents = Pick<PreparedManagedCache, 'model' | 'text'>

/** The two spellings that protobuf JSON accepts, the canonical one first. */
const SYSTEM = ['systemInstruction', 'system_instruction'] as const
const TOOL_CONFIG = ['toolConfig', 'tool_config'] as const
/** Members that a body may not have, with the end of the sentence that refuses them. */
const REFUSED_MEMBERS: Readonly<Record<string, string>> = {
  ttl: 'must be given outside of request, as ttl',
  expireTime: 'must be given outside of request, as ttl',
  expire_time: 'must be given outside of request, as ttl',
  displayName: 'must be given outside of request, as display_name',
  display_name: 'must be given outside of request, as display_name',
  name: 'must be absent, because the provider chooses it',
  cachedContent: 'must be absent, because a handle contains contents, not another handle',
  cached_content: 'must be absent, because a handle contains contents, not another handle',
}

function prepare(text: string, envelopeModel: string | undefined): PreparedManagedCache {
  const body = readBody(text)
  for (const [name, what] of Object.entries(REFUSED_MEMBERS)) {
    if (member(body.root, name) !== undefined) throw invalid(`request.${name}`, what)
  }
  const model = modelOf(body, envelopeModel, plainModel)
  limitTools(objectList(body.root, 'tools').length)
  objectList(body.root, 'contents')
  const spelled = ([canonicalName, other]: readonly [string, string]): [string, string][] =>
    [canonicalName, other].flatMap((name) => memberStream(body, name)).map(([, stream]) => [canonicalName, stream])
  const prompt = [
    ...spelled(SYSTEM),
    ...memberStream(body, 'tools'),
    ...spelled(TOOL_CONFIG),
    ...memberStream(body, 'contents'),
  ]
  if (prompt.length === 0)
    throw invalid('request', 'contains nothing to keep; add contents, systemInstruction or tools')
  const others = otherMembers(body, new Set(['model', 'tools', 'contents', ...SYSTEM, ...TOOL_CONFIG]))
  return {
    model,
    text,
    canonical: joinStreams([...prompt, ...others]),
    estimatedTokens: sizeOf(prompt).estimatedTokens,
  }
}

function plainModel(id: string): string {
  const plain = id.startsWith('models/') ? id.slice('models/'.length) : id
  if (!/^[A-Za-z0-9._-]+$/.test(plain)) {
    throw invalid('request.model', 'may hold letters, digits, dots, hyphens and underscores only')
  }
  return plain
}

function creation(text: string, model: string, displayName: string, ttlMs: number): string {
  const edits = objectEdits(readBody(text).root, {
    model: JSON.stringify(model),
    displayName: JSON.stringify(displayName),
    ttl: JSON.stringify(secondsText(ttlMs)),
  })
  return edit(text, edits)
}

/** Whole seconds, rounded down: no more storage is paid for than was asked for. */
function secondsText(ttlMs: number): string {
  return `${Math.max(1, Math.floor(ttlMs / 1_000))}s`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw unreadable('it is not JSON')
  }
}

function readOne(value: unknown, shape: RegExp): ListedManagedCache {
  const cache = fields(value)
  const name = stringOf(cache?.['name'])
  const expiresAt = Date.parse(stringOf(cache?.['expireTime']) ?? '')
  if (cache === null || name === null || !shape.test(name)) throw unreadable('it does not name a handle')
  if (Number.isNaN(expiresAt)) throw unreadable('the handle has no expiry')
  const createdAt = Date.parse(stringOf(cache['createTime']) ?? '')
  return {
    name,
    model: (stringOf(cache['model']) ?? '').replace(/^(?:.*\/)?models\//, ''),
    displayName: stringOf(cache['displayName']) ?? '',
    createdAt: Number.isNaN(createdAt) ? expiresAt : createdAt,
    expiresAt,
    tokens: count(fields(cache['usageMetadata'])?.['totalTokenCount']),
  }
}

function readList(text: string, shape: RegExp): { caches: ListedManagedCache[]; nextPageToken: string | null } {
  const page = fields(parsed(text))
  if (page === null) throw unreadable('it is not a list')
  // Protobuf JSON leaves out what is empty.
  const listed = page['cachedContents'] ?? []
  if (!Array.isArray(listed)) throw unreadable('it is not a list')
  const token = stringOf(page['nextPageToken'])
  return { caches: listed.map((one) => readOne(one, shape)), nextPageToken: token === '' ? null : token }
}

/** Errors about caches have the format of errors about contents. */
const contents = geminiContent.create(geminiContent.wire)

function readError(status: number, headers: Headers, text: string): ManagedCacheError {
  const reading = contents.readError(status, headers, text)
  const tooSmall = status === 400 ? smallness(text) : null
  if (tooSmall !== null) return { ...reading, failure: tooSmall, permanent: true, gone: false }
  return { ...reading, gone: reading.failure.detail?.['handle_gone'] === true || (status === 404 && isNotFound(text)) }
}

/** "Cached content is too small. total_token_count=…, min_total_token_count=…": the numbers are read from it, and the sentence is ours. */
export function smallness(text: string): ManagedCacheError['failure'] | null {
  const message = stringOf(fields(fields(parsedOrNull(text))?.['error'])?.['message']) ?? ''
  if (!/cached content is too small/i.test(message)) return null
  const figure = (name: string): number | null => {
    const found = new RegExp(`(?:^|[^a-z_])${name}=(\\d{1,9})`).exec(message)?.[1]
    return found === undefined ? null : Number(found)
  }
  const tokens = figure('total_token_count')
  const minimum = figure('min_total_token_count')
  return failureValue(
    'prefix_too_short',
    minimum === null
      ? 'The contents are too small for a managed cache of this model.'
      : `The contents have ${tokens ?? 'too few'} tokens; a managed cache of this model needs at least ${minimum}.`,
    { field: 'request', tokens, minimum_tokens: minimum },
  )
}

/** True: the cache is not found. A 404 for a model or a path names no entity. */
function isNotFound(text: string): boolean {
  const message = stringOf(fields(fields(parsedOrNull(text))?.['error'])?.['message']) ?? ''
  return /requested entity|cachedcontent/i.test(message)
}

export function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null // a page instead of an error body
  }
}

interface StorageRow {
  models: RegExp
  rates: readonly { usdPerMTokHour: number; from: string }[]
}

/**
 * Price of storage by model, in US dollars per million tokens and hour. Source: ai.google.dev/gemini-api/docs/pricing, checked 2026-11-21.
 * Rows are appended, never edited; a model without a row has an unknown price.
 */
const STORAGE: readonly StorageRow[] = [
  { models: /^gemini-2\.5-flash(-0\d+)?$/, rates: [{ usdPerMTokHour: 1, from: '2026-11-21' }] },
  { models: /^gemini-(2\.5-pro(-0\d+)?|3\.1-pro(-preview)?)$/, rates: [{ usdPerMTokHour: 4.5, from: '2026-11-21' }] },
  {
    models: /^gemini-3\.[678]-flash(-20\d+)?$/,
    rates: [
      { usdPerMTokHour: 0.5, from: '2026-11-21' },
      { usdPerMTokHour: 1, from: '2027-01-01' },
    ],
  },
]

function storageRates(model: string): StorageRate[] {
  const rates = STORAGE.find(({ models }) => models.test(model))?.rates ?? []
  return rates.map(({ usdPerMTokHour, from }) => ({
    fromAt: Date.parse(from),
    nanosPerMTokHour: Math.round(usdPerMTokHour * NANOS_PER_USD),
  }))
}
