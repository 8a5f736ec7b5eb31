/**
 * Gemini's managed caches. Sources, checked 2026-11-21: Gemini API docs api/caching; npm @google/genai 3.1.0, dist/genai.d.ts.
 */
import { PromptChain } from './blocks.ts'
import type { LabelledText } from './blocks.ts'
import type { Answer, CachedContent, Call, Opened, World } from './dialect.ts'
import { promptTokensOf } from './counting.ts'
import { compact, member, stringAt } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'
import { asMessage, checkMembers, checkMessages, field, geminiRefusal } from './gemini-wire.ts'
import { geminiModel } from './models.ts'
import { HOUR_MS } from './time.ts'

const CREATE_MEMBERS = new Set(
  'model contents systemInstruction tools toolConfig displayName ttl expireTime name createTime updateTime usageMetadata'.split(
    ' ',
  ),
)

/** Missing, expired and foreign handles look alike: 403, not 404. Source: Gemini API docs and public issue threads; checked 2026-11-21. */
export function handleOf(name: string, account: string, now: number, world: World): CachedContent {
  const handle = world.handles.get(name.replace(/^(?:projects\/[^/]+\/locations\/[^/]+\/)?cachedContents\//, ''))
  if (handle === undefined || handle.account !== account || handle.expiresAt <= now) {
    throw geminiRefusal(403, 'CachedContent not found (or permission denied)')
  }
  return handle
}

/** Serves `cachedContents` and `cachedContents/{id}`; `rest` is the path after the API version. */
export function answerCaches(call: Call, opened: Opened, rest: string, world: World): Answer {
  const id = rest.split('/')[1]
  const operation = `${call.method} ${id === undefined ? 'all' : 'one'}`
  switch (operation) {
    case 'POST all': {
      const handle = create(call, opened, world)
      return { ...reply(call, resource(handle)), usage: { totalTokenCount: handle.tokens } }
    }
    case 'GET all':
      return reply(call, list(call, opened, world))
    case 'GET one':
      return reply(call, resource(handleOf(id ?? '', opened.account, call.at, world)))
    case 'PATCH one': {
      const handle = handleOf(id ?? '', opened.account, call.at, world)
      return reply(call, resource(update(call, opened.body, handle, world)))
    }
    case 'DELETE one': {
      handleOf(id ?? '', opened.account, call.at, world)
      world.handles.delete(id ?? '')
      world.saveHandle(id ?? '')
      return reply(call, {})
    }
    default:
      throw geminiRefusal(404, 'Requested entity was not found.')
  }
}

function reply(call: Call, json: unknown): Answer {
  const headers = { 'content-type': 'application/json; charset=UTF-8' }
  return { json, headers, begunAt: call.at, endsAt: call.at, usage: null }
}

function create(call: Call, { account, body }: Opened, world: World): CachedContent {
  const modelName = (stringAt(body, 'model') ?? '').replace(/^models\//, '')
  const model = geminiModel(modelName)
  if (model === undefined || !model.handles) {
    throw geminiRefusal(
      404,
      `models/${modelName} is not found for API version v1beta, or is not supported for createCachedContent.`,
    )
  }
  if (!model.permissive) checkMembers(body, CREATE_MEMBERS)
  checkMessages(body)
  const chain = renderGemini(body)
  if (chain.tokens < model.explicitMinTokens) {
    throw geminiRefusal(
      400,
      `Cached content is too small. total_token_count=${chain.tokens}, min_total_token_count=${model.explicitMinTokens}`,
    )
  }
  const displayName = stringAt(body, 'displayName') ?? stringAt(body, 'display_name') ?? ''
  // "Maximum 128 Unicode characters." Source: ai.google.dev, api/caching, CachedContent.displayName; checked 2026-11-21.
  if ([...displayName].length > 128)
    throw geminiRefusal(400, 'CachedContent display_name must be at most 128 characters.')
  const id = `lab${String(call.seq).padStart(8, '0')}${chain.hash.slice(0, 8)}`
  const handle: CachedContent = {
    name: `cachedContents/${id}`,
    account,
    model: model.id,
    displayName,
    createdAt: call.at,
    updatedAt: call.at,
    expiresAt: expiryOf(call, body) ?? call.at + HOUR_MS,
    tokens: chain.tokens,
    hash: chain.hash,
    tools: functionNames(body),
  }
  world.handles.set(id, handle)
  world.saveHandle(id)
  return handle
}

/** Only the expiry can change, and only while the handle lives. */
function update(call: Call, body: JsonObject, handle: CachedContent, world: World): CachedContent {
  const mask = (call.query.get('updateMask') ?? '').split(',').filter((name) => name !== '')
  const fixed = [...body.keys(), ...mask].find((name) => !['ttl', 'expireTime', 'expire_time', 'name'].includes(name))
  if (fixed !== undefined) throw geminiRefusal(400, `Only ttl and expire_time can be updated, not ${fixed}.`)
  const expiresAt = expiryOf(call, body)
  if (expiresAt === undefined) throw geminiRefusal(400, 'One of ttl and expire_time is required.')
  const id = handle.name.replace(/^cachedContents\//, '')
  const updated = { ...handle, expiresAt, updatedAt: call.at }
  world.handles.set(id, updated)
  world.saveHandle(id)
  return updated
}

function expiryOf(call: Call, body: JsonObject): number | undefined {
  const ttl = stringAt(body, 'ttl')
  const expireTime = field(body, 'expireTime')
  const given = member(body, 'ttl') ?? undefined
  // A duration is a string of seconds, and only one of the two is set. Source: google.protobuf.Duration in JSON; @google/genai 3.1.0; checked 2026-11-30.
  if (given !== undefined && ttl === undefined)
    throw geminiRefusal(400, `Invalid value at 'ttl' (type.googleapis.com/google.protobuf.Duration), ${compact(given)}`)
  if (given !== undefined && expireTime !== undefined) {
    throw geminiRefusal(400, "Invalid value (oneof), oneof field 'expiration' is already set. Cannot set 'ttl'")
  }
  if (ttl !== undefined) {
    const seconds = /^(\d+(?:\.\d+)?)s$/.exec(ttl)?.[1]
    if (seconds === undefined || Number(seconds) <= 0) throw geminiRefusal(400, `Invalid value at 'ttl': ${ttl}`)
    return call.at + Number(seconds) * 1000
  }
  if (typeof expireTime !== 'string') return undefined
  const at = Date.parse(expireTime)
  if (Number.isNaN(at)) throw geminiRefusal(400, `Invalid value at 'expire_time': ${expireTime}`)
  if (at <= call.at) throw geminiRefusal(400, 'expire_time must be in the future.')
  return at
}

function list(call: Call, { account }: Opened, world: World): object {
  const size = Math.min(Number(call.query.get('pageSize') ?? 100) || 100, 1000)
  const start = Number(call.query.get('pageToken') ?? 0) || 0
  const own = [...world.handles.values()].filter((handle) => handle.account === account && handle.expiresAt > call.at)
  const page = own.slice(start, start + size)
  return {
    ...(page.length > 0 ? { cachedContents: page.map(resource) } : {}),
    ...(start + size < own.length ? { nextPageToken: String(start + size) } : {}),
  }
}

function resource(handle: CachedContent): object {
  return {
    name: handle.name,
    model: `models/${handle.model}`,
    displayName: handle.displayName,
    createTime: new Date(handle.createdAt).toISOString(),
    updateTime: new Date(handle.updatedAt).toISOString(),
    expireTime: new Date(handle.expiresAt).toISOString(),
    usageMetadata: { totalTokenCount: handle.tokens },
  }
}

/** Names of the functions that a body declares. */
export function functionNames(body: JsonObject): string[] {
  const tools = field(body, 'tools')
  return (Array.isArray(tools) ? tools : []).flatMap((tool) => {
    const declared = field(tool, 'functionDeclarations')
    return Array.isArray(declared) ? declared.map((one) => stringAt(one, 'name') ?? '') : []
  })
}

/** What is rendered ahead of the turns, then the turns. */
export function geminiParts(given: JsonObject): LabelledText[] {
  const body = asMessage(given)
  const parts: LabelledText[] = []
  const add = (label: string, node: JsonNode | undefined): void => {
    if (node !== undefined && node !== null) parts.push({ label, text: textOf(node) })
  }
  add('system', field(body, 'systemInstruction'))
  add('tools', field(body, 'tools'))
  const config = field(body, 'toolConfig')
  // AUTO is what an absent configuration says. Source: Gemini API docs, function-calling, "function calling modes"; checked 2026-11-30.
  if (stringAt(field(config, 'functionCallingConfig'), 'mode') !== 'AUTO') add('toolConfig', config)
  const contents = field(body, 'contents')
  for (const content of Array.isArray(contents) ? contents : []) add(stringAt(content, 'role') ?? 'user', content)
  return parts
}

/** Text parts render as their text, so that both spellings of a text content are one; everything else as compact JSON. */
function textOf(node: JsonNode): string {
  const parts = field(node, 'parts')
  if (!Array.isArray(parts)) return compact(node)
  return parts
    .map((part) => (part instanceof Map && part.size === 1 ? (stringAt(part, 'text') ?? compact(part)) : compact(part)))
    .join('')
}

export function renderGemini(body: JsonObject): PromptChain {
  const chain = new PromptChain('gemini')
  // Labels tell prompts apart but count no tokens.
  for (const { label, text } of geminiParts(body)) chain.push(`${label}\n${text}`, promptTokensOf(text))
  return chain
}
