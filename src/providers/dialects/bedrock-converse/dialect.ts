import { Failure } from '../../../contract/failure.ts'
import { arrayEdits, edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import type { Edit } from '../../../core/prompt/json-edit.ts'
import { byteOffset, items, member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonArray, JsonNode, JsonObject } from '../../../core/prompt/json-text.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import {
  cutEdits,
  DUMMY_TEXT,
  finalUserTurn,
  invalid,
  joinStreams,
  limitTools,
  memberStream,
  objectList,
  otherMembers,
  readBody,
  sizeOf,
} from '../shared/body.ts'
import type { Body, Cut, TurnShape } from '../shared/body.ts'
import { readErrorWith } from '../shared/errors.ts'
import type { ErrorBody } from '../shared/errors.ts'
import {
  chooseRetention,
  keyWithoutEffect,
  levelledRetentions,
  markerSaysOtherwise,
  openRetention,
} from '../shared/retention.ts'
import { chooseBreakpoints, chooseCut, droppedMarker, markersOver } from '../shared/strategy.ts'
import type { Wire } from '../../card.ts'
import { readAnswer, readUsage } from './answer.ts'
import {
  innerPoints,
  isPoint,
  MAX_POINTS,
  POINT,
  pointEdits,
  points,
  pointText,
  toolList,
  ttlOf,
  withoutPoints,
} from './cache-points.ts'
import type { Advice } from '../../../core/model/advice.ts'
import type {
  Dialect,
  NativeRequest,
  NeutralRequest,
  PreparedPrefix,
  ProbeOptions,
  ProbeRequest,
} from '../../dialect.ts'

/**
 * Amazon Bedrock Converse. Rendered in the order tools → system → messages; entries are written in front of cache points.
 * Source: npm @aws-sdk/client-bedrock-runtime 3.1162.0 types and the AWS prompt caching guide, checked 2026-11-21.
 */
export function bedrockConverse(wire: Wire): Dialect {
  const refusesPrimitive = (body: ErrorBody): boolean => /max_?tokens/i.test(body.message)
  return {
    id: 'bedrock-converse',
    prepare: (request, facts) => prepare(request, facts, wire),
    render,
    primitives: (text, facts) => (thinkingBudget(readBody(text)) === null ? facts.primitives : ['floor_tokens']),
    probe,
    readAnswer,
    readUsage,
    readError: (status, headers, text) => readErrorWith({ refusesPrimitive, words: wire }, status, headers, text),
  }
}

const SHAPE: TurnShape = { list: 'messages', parts: 'content' }

/** Members that change neither the prompt nor which entry it meets. `modelId` is the path's, as SDKs spell it. */
const NOT_COMPARED = new Set(['modelId', 'toolConfig', 'system', 'messages', 'inferenceConfig', 'requestMetadata'])

function prepare(request: NativeRequest, facts: (model: string) => ModelFacts, wire: Wire): PreparedPrefix {
  const body = readBody(request.text)
  const model = modelId(body, request.model)
  const turns = objectList(body.root, 'messages')
  objectList(body.root, 'system')
  const tools = items(toolList(body.root)).filter((tool) => !isPoint(tool)).length
  limitTools(tools)
  const marked = points(body.root)
  if (marked.length > MAX_POINTS) {
    throw invalid('request', `carries more than ${MAX_POINTS} cache points, which the provider refuses`)
  }
  const finalTurn = finalUserTurn(turns, (turn) => stringMember(turn, 'role') === 'user')
  const pointed = marked.findLast(({ turn }) => turn === null || turn < finalTurn)
  const own: Cut = pointed === undefined || pointed.turn === null ? 'none' : { item: pointed.turn, part: pointed.index }
  const chosen = chooseCut(request, { turns, shape: SHAPE, tools, atTools: true })
  const cut = chosen.cut ?? own
  const cutOff = readBody(edit(body.text, storedEdits(body.root, cut)))
  const breakpoints = chooseBreakpoints(request.cache, chosen, MAX_POINTS)
  const inner = innerPoints(cutOff.root, breakpoints.inner, request.cache)
  const stored = inner.edits.length === 0 ? cutOff : readBody(edit(cutOff.text, inner.edits))
  const end = lastElement(stored.root)
  const kept = points(stored.root)
  const ownKept = points(cutOff.root)
  const ttl = ownKept.at(-1) ?? marked.at(-1)
  const ownRetention = ttl === undefined ? null : ttlOf(ttl)
  const retention = chooseRetention(request.cache, ownRetention, facts(model), wire.retentions)

  const bare = readBody(edit(stored.text, withoutPoints(stored.root)))
  const hasTurns = items(member(bare.root, 'messages')).length > 0
  const prompt = [
    ...memberStream(bare, 'toolConfig'),
    ...memberStream(bare, 'system'),
    ...(hasTurns ? memberStream(bare, 'messages') : []),
  ]
  return {
    model,
    text: stored.text,
    breakpoint: { path: end.path, byte: byteOffset(stored.text, end.node.end) },
    retention: retention.name,
    ...openRetention(request, marked.length),
    canonical: joinStreams([...prompt, ...otherMembers(bare, NOT_COMPARED)]),
    cacheKey: null,
    ...sizeOf(prompt),
    advice: [
      ...retention.advice,
      ...markerSaysOtherwise(request.cache, ownRetention, retention.name, pointText(retention.name)),
      ...levelledRetentions(request.cache, ownKept.map(ttlOf), retention.name),
      ...keyWithoutEffect(request.cache),
      ...chosen.advice,
      ...breakpoints.advice,
      ...inner.advice,
      ...droppedMarker(request.cache, kept.length, isMarked(end), MAX_POINTS),
      ...(isMarked(end) ? [] : [endAdvice(end, retention.name)]),
      ...wire.advice,
    ],
  }
}

/** The model is in the path, so that it comes beside the body, or as the `modelId` of an SDK's input. */
function modelId(body: Body, envelope: string | undefined): string {
  const own = stringMember(body.root, 'modelId')
  if (own !== undefined && envelope !== undefined && own !== envelope) {
    throw invalid('model', "differs from the body's own modelId")
  }
  const model = own ?? envelope ?? ''
  if (model === '') throw invalid('model', 'is missing')
  if (!/^[\w.:/-]{1,2048}$/.test(model)) throw invalid('model', 'is no model id, inference profile or ARN')
  return model
}

function storedEdits(root: JsonObject, cut: Cut): Edit[] {
  const edits = cutEdits(root, cut, SHAPE)
  // The system prompt renders behind the tools: a prefix that ends at the tools does not hold it.
  return cut === 'tools' ? [...objectEdits(root, { system: null }), ...edits] : edits
}

/** What ends a stored prefix, and the list in which it stands: there a point can be put behind it. */
interface End {
  node: JsonNode
  path: string
  list: JsonArray
}

/** The last block of a stored prefix that is no point. */
function lastElement(root: JsonObject): End {
  const turns = items(member(root, 'messages'))
  const turn = turns.at(-1)
  const at = `messages[${turns.length - 1}].content`
  if (turn !== undefined) {
    const end = lastOf(member(turn, 'content'), at)
    if (end === null) throw invalid(`request.${at}`, 'is empty, so that no prefix can end there')
    if (items(end.list).some((block) => member(block, 'toolUse') !== undefined)) {
      throw invalid(
        `request.${end.path}`,
        'ends the prefix between a tool use and its result; end it behind the result',
      )
    }
    return end
  }
  const end = lastOf(member(root, 'system'), 'system') ?? lastOf(toolList(root), 'toolConfig.tools')
  if (end === null) {
    throw invalid('request', 'holds nothing that stays the same between requests; add system or toolConfig')
  }
  return end
}

function lastOf(list: JsonNode | undefined, path: string): End | null {
  if (list?.type !== 'array') return null
  const index = list.items.findLastIndex((item) => !isPoint(item))
  const node = list.items[index]
  return node === undefined ? null : { node, path: `${path}[${index}]`, list }
}

/** Whether a point stands right behind it. */
function isMarked({ node, list }: End): boolean {
  return isPoint(list.items[list.items.indexOf(node) + 1])
}

function endAdvice({ path }: End, retention: string): Advice {
  return {
    cause: 'end_not_marked',
    message: `Real requests of this shape do not read the entry for sure: no ${POINT} stands behind ${path}. In them, put ${pointText(retention)} there.`,
    at: path,
  }
}

/** What hidden thinking may use; the output cap must be more. */
function thinkingBudget({ text, root }: Body): number | null {
  const thinking = member(member(root, 'additionalModelRequestFields'), 'thinking')
  if (stringMember(thinking, 'type') !== 'enabled') return null
  const budget = member(thinking, 'budget_tokens')
  const tokens = budget?.type === 'number' ? Number(text.slice(budget.start, budget.end)) : Number.NaN
  if (Number.isSafeInteger(tokens) && tokens > 0) return tokens
  throw invalid('request.additionalModelRequestFields.thinking.budget_tokens', 'must be a whole number')
}

/**
 * Puts a point behind the end of a stored body, and all its points at one retention: what a probe and a real request have to agree on.
 * `behind` follows the point in the list that the prefix ends in.
 */
export function levelled(root: JsonObject, retention: string, behind: readonly string[] = []): Edit[] {
  const end = lastElement(root)
  const marked = points(root)
  const isEndMarked = isMarked(end)
  // Room for the point at the end: earlier ones only add entries further in front.
  const over = markersOver(marked.length, isEndMarked, MAX_POINTS)
  const dropped = marked.slice(0, over)
  const edits = marked.slice(over).flatMap((point) => pointEdits(point, retention))
  const added = [...(isEndMarked ? [] : [pointText(retention)]), ...behind]
  for (const list of new Set([end.list, ...dropped.map((point) => point.list)])) {
    const append = list === end.list ? added : []
    const gone = dropped.filter((point) => point.list === list)
    if (append.length === 0 && gone.length === 0) continue
    edits.push(...arrayEdits(list, (index) => !gone.some((point) => point.index === index), append))
  }
  return edits
}

function probe(
  prefix: Pick<PreparedPrefix, 'text' | 'model' | 'breakpoint'>,
  { primitive, retention, outputTokens }: ProbeOptions,
): ProbeRequest {
  if (primitive !== 'one_token' && primitive !== 'floor_tokens') {
    throw new Failure('unsupported', 'This wire format has no such probe.', { primitive })
  }
  const body = readBody(prefix.text)
  const { root } = body
  const turn = items(member(root, 'messages')).at(-1)
  const dummy = `{"text":${JSON.stringify(DUMMY_TEXT)}}`
  // Roles must alternate: behind a user's message the dummy is one more block of it.
  const joins = turn !== undefined && stringMember(turn, 'role') === 'user'
  const edits = levelled(root, retention, joins ? [dummy] : [])

  const budget = thinkingBudget(body)
  const cap = Math.max(1, outputTokens ?? 1, budget === null ? 0 : budget + 1)
  const changes: Record<string, string | null> = {}
  if (member(root, 'modelId') !== undefined) changes['modelId'] = null
  const config = member(root, 'inferenceConfig')
  if (config?.type === 'object') edits.push(...objectEdits(config, { maxTokens: String(cap) }))
  else changes['inferenceConfig'] = `{"maxTokens":${cap}}`
  if (!joins) {
    const message = `{"role":"user","content":[${dummy}]}`
    const list = member(root, 'messages')
    if (list?.type === 'array') edits.push(...arrayEdits(list, () => true, [message]))
    else changes['messages'] = `[${message}]`
  }
  edits.push(...objectEdits(root, changes))
  return {
    path: `/model/${encodeURIComponent(prefix.model)}/converse`,
    body: edit(body.text, edits),
    outputTokens: cap,
  }
}

function render(request: NeutralRequest): string {
  const point = pointText(request.cache?.retention === '1h' || request.cache?.retention === 'extended' ? '1h' : '5m')
  const messages = request.messages ?? []
  const members: string[] = []
  const tools = (request.tools ?? []).map(({ name, description, parametersText }) => {
    const says = description === undefined ? '' : `,"description":${JSON.stringify(description)}`
    return `{"toolSpec":{"name":${JSON.stringify(name)}${says},"inputSchema":{"json":${parametersText}}}}`
  })
  const hasSystem = request.system !== undefined && request.system !== ''
  if (tools.length > 0) {
    const last = !hasSystem && messages.length === 0 ? [point] : []
    members.push(`"toolConfig":{"tools":[${[...tools, ...last].join(',')}]}`)
  }
  if (hasSystem) {
    const last = messages.length === 0 ? [point] : []
    members.push(`"system":[${[`{"text":${JSON.stringify(request.system)}}`, ...last].join(',')}]`)
  }
  const turns = messages.map(({ role, content }, index) => {
    const last = index === messages.length - 1 ? [point] : []
    return `{"role":"${role}","content":[${[`{"text":${JSON.stringify(content)}}`, ...last].join(',')}]}`
  })
  members.push(`"messages":[${turns.join(',')}]`)
  return `{${members.join(',')}}`
}
