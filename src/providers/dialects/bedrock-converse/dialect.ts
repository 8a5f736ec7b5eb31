import { Failure } from '../../../contract/failure.ts'
import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import type { Edit } from '../../../core/prompt/json-edit.ts'
import { byteOffset, items, member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonNode, JsonObject } from '../../../core/prompt/json-text.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import {
  cutEdits,
  finalUserTurn,
  invalid,
  joinStreams,
  limitTools,
  mayEnd,
  memberStream,
  objectList,
  readBody,
  sizeOf,
  systemTexts,
} from '../shared/body.ts'
import type { Body, Cut, TurnShape } from '../shared/body.ts'
import { settingsUpTo } from '../shared/settings.ts'
import { converseSettings, toolConfigStream } from './settings.ts'
import { readErrorWith } from '../shared/errors.ts'
import type { ErrorBody } from '../shared/errors.ts'
import {
  chooseRetention,
  keyWithoutEffect,
  layoutOf,
  mixedRetentions,
  markerSaysOtherwise,
  openRetention,
} from '../shared/retention.ts'
import { chooseBreakpoints, chooseCut, droppedMarker } from '../shared/strategy.ts'
import { sparesThinking, THINKING_SPARED } from '../shared/thinking.ts'
import { PLAIN } from '../../wire.ts'
import type { Wire } from '../../wire.ts'
import { readAnswer, readUsage } from './answer.ts'
import {
  earlierPoints,
  isPoint,
  MAX_POINTS,
  POINT,
  points,
  pointText,
  toolList,
  ttlOf,
  withoutPoints,
} from './cache-points.ts'
import type { Point } from './cache-points.ts'
import type { Advice } from '../../../core/model/advice.ts'
import { isMarked, lastElement } from './end.ts'
import type { End } from './end.ts'
import { MARKERS } from './end.ts'
import { countTokens } from './count.ts'
import { converseFaults } from './faults.ts'
import { LINT, SECTIONS } from './layout.ts'
import { LOOKBACK } from '../anthropic-messages/layout.ts'
import { choiceMember, settingMembers } from './neutral.ts'
import { primitives, probe, thinkingBudget } from './probe.ts'
import { converseTurns } from './turn.ts'
import type { Compared } from '../../compared.ts'
import type { Dialect, DialectDefinition, NativeRequest, NeutralRequest, PreparedPrefix } from '../../dialect.ts'

/**
 * Amazon Bedrock Converse. Rendered in the order tools → system → messages; entries are written in front of cache points.
 * Source: npm @aws-sdk/client-bedrock-runtime 3.1162.0 types and the AWS prompt caching guide, checked 2026-11-21.
 */
export const bedrockConverse: DialectDefinition = {
  id: 'bedrock-converse',
  wire: { ...PLAIN, retentions: ['5m', '1h'], lacks: ['seed', 'presence_penalty', 'frequency_penalty'] },
  client: 'fetch',
  labPath: '/bedrock',
  recognises,
  create,
}

/** Members that no other format has. */
const OWN_MEMBERS = [
  'modelId',
  'inferenceConfig',
  'toolConfig',
  'additionalModelRequestFields',
  'guardrailConfig',
  'performanceConfig',
  'requestMetadata',
]

/** A body with one of them, or with blocks that have no `type`. */
function recognises(root: JsonNode): boolean {
  if (OWN_MEMBERS.some((name) => member(root, name) !== undefined)) return true
  const blocks = [member(root, 'system'), ...items(member(root, 'messages')).map((turn) => member(turn, 'content'))]
  return blocks.flatMap(items).some((block) => block.type === 'object' && member(block, 'type') === undefined)
}

function create(wire: Wire): Dialect {
  const refusesPrimitive = (body: ErrorBody): boolean => /max_?tokens/i.test(body.message)
  return {
    prepare: (request, facts) => prepare(request, facts, wire),
    compared,
    render,
    faults: (text, facts) => converseFaults(text, facts, wire.retentions),
    primitives,
    probe,
    count: countTokens,
    readAnswer,
    readUsage,
    readError: (status, headers, text) => readErrorWith({ refusesPrimitive, words: wire }, status, headers, text),
    sections: SECTIONS,
    markers: MARKERS,
    lint: LINT,
    turns: converseTurns,
    unknownModel: { primitives: ['one_token', 'floor_tokens'], writesReported: true, sharedBy: 'blocks' },
    outputFloor: 1,
    lacks: wire.lacks,
  }
}

const SHAPE: TurnShape = { list: 'messages', parts: 'content' }

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
  const isLast = ({ list, index }: Point): boolean => index === list.items.length - 1
  const pointed = marked.findLast((one) => mayEnd(one.turn, isLast(one), finalTurn, turns.length))
  const own: Cut = pointed === undefined || pointed.turn === null ? 'none' : { item: pointed.turn, part: pointed.index }
  const chosen = chooseCut(request, { turns, shape: SHAPE, tools, atTools: true })
  const cut = chosen.cut ?? own
  const cutOff = readBody(edit(body.text, storedEdits(body.root, cut)))
  const breakpoints = chooseBreakpoints(request.cache, chosen, MAX_POINTS)
  const earlier = earlierPoints(cutOff.root, breakpoints.earlier, request.cache)
  const stored = earlier.edits.length === 0 ? cutOff : readBody(edit(cutOff.text, earlier.edits))
  const end = lastElement(stored.root)
  const kept = points(stored.root)
  const ownKept = points(cutOff.root)
  const ttl = ownKept.at(-1) ?? marked.at(-1)
  const ownRetention = ttl === undefined ? null : ttlOf(ttl)
  const retention = chooseRetention(request.cache, ownRetention, facts(model), wire.retentions)

  const bare = readBody(edit(stored.text, withoutPoints(stored.root)))
  const hasTurns = items(member(bare.root, 'messages')).length > 0
  const prompt = [
    ...toolConfigStream(bare),
    ...memberStream(bare, 'system'),
    ...(hasTurns ? memberStream(bare, 'messages') : []),
  ]
  const section = SECTIONS.findLastIndex(({ names, outer }) =>
    prompt.some(([name]) => names.includes(name) || name === outer),
  )
  return {
    model,
    text: stored.text,
    breakpoint: { path: end.path, byte: byteOffset(stored.text, end.node.end) },
    retention: retention.name,
    ...layoutOf(ownKept.map(ttlOf), retention.name),
    ...openRetention(request, marked.length),
    canonical: joinStreams([...prompt, ...settingsUpTo(converseSettings(bare, facts(model)), section)]),
    cacheKey: null,
    ...sizeOf(prompt),
    advice: [
      ...retention.advice,
      ...markerSaysOtherwise(request.cache, ownRetention, retention.name, pointText(retention.name)),
      ...mixedRetentions(request.cache, ownKept.map(ttlOf), retention.name),
      ...keyWithoutEffect(request.cache),
      ...(thinkingBudget(stored) !== null && sparesThinking(stored.root, facts(model))
        ? [{ ...THINKING_SPARED, at: 'additionalModelRequestFields.thinking' }]
        : []),
      ...chosen.advice,
      ...breakpoints.advice,
      ...earlier.advice,
      ...droppedMarker(request.cache, kept.length, isMarked(end), MAX_POINTS),
      ...(isMarked(end) ? [] : [endAdvice(end, retention.name)]),
      ...wire.advice,
    ],
  }
}

function compared({ text, model: envelope }: NativeRequest, facts: (model: string) => ModelFacts): Compared {
  const body = readBody(text)
  const model = modelId(body, envelope)
  const reads = { lookback: LOOKBACK, marksEnd: false }
  return { model, cacheKey: null, settings: converseSettings(body, facts(model)), reads }
}

/** The model is part of the path: it comes beside the body, or as the `modelId` of an SDK's input. */
function modelId(body: Body, envelope: string | undefined): string {
  const own = stringMember(body.root, 'modelId')
  if (own !== undefined && envelope !== undefined && own !== envelope) {
    throw invalid('model', "differs from the body's own modelId")
  }
  const model = own ?? envelope ?? ''
  if (model === '') throw invalid('model', 'is missing')
  if (!/^[\w.:/-]{1,2048}$/.test(model)) throw invalid('model', 'is not a model id, inference profile or ARN')
  if (/^arn:(?:[\w-]*:){4}prompt\//.test(model)) {
    const why =
      'model: names a prompt that Bedrock keeps. The body does not hold its text, so that no probe can be made of it.'
    throw new Failure('unsupported', why, { field: 'model' })
  }
  return model
}

function storedEdits(root: JsonObject, cut: Cut): Edit[] {
  const edits = cutEdits(root, cut, SHAPE)
  // The system prompt is rendered after the tools: a prefix that ends at the tools does not contain it.
  return cut === 'tools' ? [...objectEdits(root, { system: null }), ...edits] : edits
}

function endAdvice({ path }: End, retention: string): Advice {
  return {
    cause: 'end_not_marked',
    message: `Real requests like this one may miss the entry: no ${POINT} follows ${path}. In them, add ${pointText(retention)} there.`,
    at: path,
  }
}

function render(request: NeutralRequest): string {
  const point = pointText(request.cache?.retention === '1h' || request.cache?.retention === 'extended' ? '1h' : '5m')
  const messages = request.messages ?? []
  const members = settingMembers(request.settings)
  const tools = (request.tools ?? []).map(({ name, description, parametersText }) => {
    const says = description === undefined ? '' : `,"description":${JSON.stringify(description)}`
    return `{"toolSpec":{"name":${JSON.stringify(name)}${says},"inputSchema":{"json":${parametersText}}}}`
  })
  const system = systemTexts(request).map((text) => `{"text":${JSON.stringify(text)}}`)
  if (tools.length > 0) {
    const last = system.length === 0 && messages.length === 0 ? [point] : []
    const listed = `"tools":[${[...tools, ...last].join(',')}]`
    members.push(`"toolConfig":{${[listed, ...choiceMember(request.settings)].join(',')}}`)
  }
  if (system.length > 0) {
    const last = messages.length === 0 ? [point] : []
    members.push(`"system":[${[...system, ...last].join(',')}]`)
  }
  const turns = messages.map(({ role, content }, index) => {
    const last = index === messages.length - 1 ? [point] : []
    return `{"role":"${role}","content":[${[`{"text":${JSON.stringify(content)}}`, ...last].join(',')}]}`
  })
  members.push(`"messages":[${turns.join(',')}]`)
  return `{${members.join(',')}}`
}
