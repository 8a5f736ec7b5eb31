import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import type { Edit } from '../../../core/prompt/json-edit.ts'
import { byteOffset, items, member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonNode, JsonObject } from '../../../core/prompt/json-text.ts'
import type { ModelFacts, Primitive } from '../../../core/model/facts.ts'
import {
  cutEdits,
  finalUserTurn,
  invalid,
  joinStreams,
  mayEnd,
  modelOf,
  objectList,
  readBody,
  sizeOf,
  systemTexts,
  memberStream,
  toolStream,
} from '../shared/body.ts'
import type { Body, Cut, LastElement } from '../shared/body.ts'
import { credentialMembers } from '../shared/credentials.ts'
import { settingsUpTo } from '../shared/settings.ts'
import { readErrorWith } from '../shared/errors.ts'
import type { ErrorBody } from '../shared/errors.ts'
import {
  chooseRetention,
  keyWithoutEffect,
  mixedRetentions,
  layoutOf,
  markerSaysOtherwise,
  openRetention,
} from '../shared/retention.ts'
import { chooseBreakpoints, chooseCut, droppedMarker } from '../shared/strategy.ts'
import { sparesThinking, THINKING_SPARED } from '../shared/thinking.ts'
import { PLAIN } from '../../wire.ts'
import type { Wire } from '../../wire.ts'
import { readAnswer, readUsage } from './answer.ts'
import {
  asTextBlocks,
  earlierMarkers,
  MARKER,
  markerAdvice,
  markerMembers,
  markers,
  markerText,
  ttlOf,
  MAX_MARKERS,
  UNMARKABLE,
} from './markers.ts'
import type { Marker } from './markers.ts'
import { isMarked, lastElement, MARKERS, SHAPE } from './end.ts'
import { settingMembers } from './neutral.ts'
import { messagesFaults } from './faults.ts'
import { LINT, LOOKBACK, SECTIONS } from './layout.ts'
import { placed } from './placed.ts'
import { hasBudget, probe } from './probe.ts'
import { messagesSettings } from './settings.ts'
import { messagesTurns } from './turn.ts'
import type { Compared } from '../../compared.ts'
import { countTokens } from './count.ts'
import type { Dialect, DialectDefinition, NativeRequest, NeutralRequest, PreparedPrefix } from '../../dialect.ts'

/**
 * Anthropic Messages. Rendered in the order tools → system → messages; entries are written at markers only.
 * Source: SDK 1.11.0 types and platform.claude.com prompt caching pages, checked 2026-11-21.
 */
export const anthropicMessages: DialectDefinition = {
  id: 'anthropic-messages',
  wire: {
    ...PLAIN,
    version: '/v1',
    retentions: ['5m', '1h'],
    markers: [MARKER],
    lacks: ['seed', 'presence_penalty', 'frequency_penalty'],
  },
  client: 'anthropic-sdk',
  labPath: '/anthropic',
  recognises: (root) =>
    member(root, 'system') !== undefined ||
    member(root, 'anthropic_version') !== undefined ||
    (stringMember(root, 'model')?.startsWith('claude') ?? false),
  create,
}

function create(wire: Wire): Dialect {
  const refusesPrimitive = (body: ErrorBody): boolean => /max_tokens/i.test(body.message)
  return {
    prepare,
    compared,
    faults: (text, facts) => messagesFaults(text, facts, wire.retentions),
    render,
    primitives,
    probe: (prefix, options) => placed(probe(prefix, options), prefix.model, wire),
    count: countTokens(wire),
    readAnswer,
    readUsage,
    readError: (status, headers, text) => readErrorWith({ refusesPrimitive, words: wire }, status, headers, text),
    sections: SECTIONS,
    markers: MARKERS,
    lint: LINT,
    turns: {
      ...messagesTurns,
      request: (conversation) => placed(messagesTurns.request(conversation), conversation.model, wire),
    },
    unknownModel: { primitives: ['zero_output', 'one_token'], writesReported: true, sharedBy: 'blocks' },
    outputFloor: 1,
    lacks: wire.lacks,
  }
}

const WIRE_RETENTIONS = ['5m', '1h']

function prepare(request: NativeRequest, facts: (model: string) => ModelFacts): PreparedPrefix {
  const body = readBody(request.text)
  const model = modelOf(body, request.model)
  const turns = objectList(body.root, 'messages')
  const tools = objectList(body.root, 'tools').length
  const marked = markers(body.root)
  const top = member(body.root, MARKER)
  const automatic = top?.type === 'object'
  if (marked.length + (automatic ? 1 : 0) > MAX_MARKERS) {
    throw invalid('request', `carries more than ${MAX_MARKERS} cache markers, which the provider refuses`)
  }
  const finalTurn = finalUserTurn(turns, (turn) => stringMember(turn, 'role') === 'user')
  const chosen = chooseCut(request, { turns, shape: SHAPE, tools, atTools: true })
  const cut = chosen.cut ?? markedCut(marked, turns, finalTurn)

  const bare = readBody(edit(body.text, storedEdits(body.root, cut)))
  const ownKept = markers(bare.root)
  const points = chooseBreakpoints(request.cache, chosen, MAX_MARKERS)
  const earlier = earlierMarkers(bare, points.earlier, SHAPE, request.cache)
  const stored: Body = earlier.edits.length === 0 ? bare : readBody(edit(bare.text, earlier.edits))
  const last = lastElement(stored.root)
  checkEnd(last)
  const kept = markers(stored.root)
  // The top-level marker marks the end of each real request: a miss writes all of it at that retention.
  const own = ownKept.at(-1)?.value ?? marked.at(-1)?.value ?? (automatic ? top : undefined)
  const ownRetention = own === undefined ? null : ttlOf({ value: own })
  const retention = chooseRetention(request.cache, ownRetention, facts(model), WIRE_RETENTIONS)

  const rules = {
    drop: new Set([...markerMembers(stored.root).map(({ entry }) => entry), ...credentialMembers(stored.root)]),
    replace: new Map(textStrings(stored.root).map((node) => [node, asTextBlocks([JSON.stringify(node.value)])])),
  }
  const prompt = [...toolStream(stored, rules), ...memberStream(stored, 'system', rules), ...turnStream(stored, rules)]
  const section = SECTIONS.findLastIndex(({ names }) => prompt.some(([name]) => names.includes(name)))
  return {
    model,
    text: stored.text,
    breakpoint: { path: last.path, byte: byteOffset(stored.text, last.node.end) },
    retention: retention.name,
    ...layoutOf(ownKept.map(ttlOf), retention.name),
    ...openRetention(request, own === undefined ? 0 : 1),
    canonical: joinStreams([...prompt, ...settingsUpTo(messagesSettings(stored, facts(model)), section)]),
    cacheKey: null,
    ...sizeOf(prompt),
    advice: [
      ...retention.advice,
      ...markerSaysOtherwise(request.cache, ownRetention, retention.name, `"${MARKER}":${markerText(retention.name)}`),
      ...mixedRetentions(request.cache, ownKept.map(ttlOf), retention.name),
      ...keyWithoutEffect(request.cache),
      ...(hasBudget(stored.root) && sparesThinking(stored.root, facts(model)) ? [THINKING_SPARED] : []),
      ...chosen.advice,
      ...points.advice,
      ...earlier.advice,
      ...droppedMarker(request.cache, kept.length, isMarked(last, kept), MAX_MARKERS),
      ...markerAdvice({
        last,
        marked,
        kept: ownKept.length,
        isEndMarked: isMarked(last, kept),
        automatic,
        retention: retention.name,
      }),
    ],
  }
}

function compared({ text, model: envelope }: NativeRequest, facts: (model: string) => ModelFacts): Compared {
  const body = readBody(text)
  const model = modelOf(body, envelope)
  const top = member(body.root, MARKER)
  return {
    model,
    cacheKey: null,
    settings: messagesSettings(body, facts(model)),
    ...(top?.type === 'object' ? { retention: ttlOf({ value: top }) } : {}),
    reads: { lookback: LOOKBACK, marksEnd: top?.type === 'object' },
  }
}

/** An empty list of messages equals none: a registration without the last turn is the same prefix. */
function turnStream(stored: Body, rules: Parameters<typeof memberStream>[2]): [string, string][] {
  return items(member(stored.root, 'messages')).length === 0 ? [] : memberStream(stored, 'messages', rules)
}

/** The end at the body's own markers: the last one that may end the prefix. */
function markedCut(marked: readonly Marker[], turns: readonly JsonNode[], finalTurn: number): Cut {
  const isLast = ({ turn, part }: Marker): boolean =>
    turn !== null && part === items(member(turns[turn], 'content')).length - 1
  const last = marked.findLast((one) => mayEnd(one.turn, isLast(one), finalTurn, turns.length))
  return last === undefined || last.turn === null ? 'none' : { item: last.turn, part: isLast(last) ? null : last.part }
}

function storedEdits(root: JsonObject, cut: Cut): Edit[] {
  if (cut !== 'tools') return cutEdits(root, cut, SHAPE)
  // The system prompt is rendered after the tools: a prefix that ends at the tools does not contain it.
  return [...objectEdits(root, { system: null }), ...cutEdits(root, cut, SHAPE)]
}

function checkEnd({ node, path, turn }: LastElement): void {
  if (node.type !== 'string' && node.type !== 'object') throw invalid(`request.${path}`, 'must be a block or a string')
  if (UNMARKABLE.has(stringMember(node, 'type') ?? '')) {
    throw invalid(`request.${path}`, 'is a thinking block, which cannot carry a cache marker; end the prefix elsewhere')
  }
  if (turn === null || stringMember(turn, 'role') !== 'assistant') return
  if (items(member(turn, 'content')).some((part) => stringMember(part, 'type') === 'tool_use')) {
    throw invalid(`request.${path}`, 'ends the prefix between a tool call and its result; end it after the result')
  }
}

/** Strings that mean one block of text: `system`, and the `content` of a message. */
function textStrings(root: JsonObject): Extract<JsonNode, { type: 'string' }>[] {
  const contents = items(member(root, 'messages')).map((turn) => member(turn, 'content'))
  return [member(root, 'system'), ...contents].filter((node) => node?.type === 'string')
}

function primitives(text: string, facts: ModelFacts): Primitive[] {
  const { root } = readBody(text)
  // `floor_tokens` carries the thinking of the body, and the others leave it out.
  if (hasBudget(root) && !sparesThinking(root, facts)) return ['floor_tokens']
  const format = member(member(root, 'output_config'), 'format') ?? member(root, 'output_format')
  const choice = stringMember(member(root, 'tool_choice'), 'type')
  const noZero = (format !== undefined && format.type !== 'null') || choice === 'any' || choice === 'tool'
  return facts.primitives.filter((primitive) => !(noZero && primitive === 'zero_output'))
}

function render(request: NeutralRequest): string {
  const members = [`"model":${JSON.stringify(request.model)}`, ...settingMembers(request.settings)]
  if (request.tools !== undefined && request.tools.length > 0) {
    const tools = request.tools.map((tool) => {
      const description = tool.description === undefined ? '' : `,"description":${JSON.stringify(tool.description)}`
      return `{"name":${JSON.stringify(tool.name)}${description},"input_schema":${tool.parametersText}}`
    })
    members.push(`"tools":[${tools.join(',')}]`)
  }
  const messages = request.messages ?? []
  const marker = markerText(request.cache?.retention === '1h' || request.cache?.retention === 'extended' ? '1h' : '5m')
  const system = systemTexts(request).map((text) => JSON.stringify(text))
  if (system.length > 0) members.push(`"system":${asTextBlocks(system, messages.length === 0 ? marker : undefined)}`)
  const rendered = messages.map(({ role, content }, index) => {
    const isLast = index === messages.length - 1
    const raw = JSON.stringify(content)
    return `{"role":${JSON.stringify(role)},"content":${isLast ? asTextBlocks([raw], marker) : raw}}`
  })
  members.push(`"messages":[${rendered.join(',')}]`)
  return `{${members.join(',')}}`
}
