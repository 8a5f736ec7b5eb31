import { countTokens } from './count.ts'
import { Failure } from '../../../contract/failure.ts'
import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import { byteOffset, items, member } from '../../../core/prompt/json-text.ts'
import type { JsonNode, JsonObject } from '../../../core/prompt/json-text.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import {
  appendTo,
  cutEdits,
  PLACEHOLDER_TEXT,
  invalid,
  joinStreams,
  lastToolElement,
  limitTools,
  lastTurnElement,
  modelOf,
  objectList,
  readBody,
  sizeOf,
  memberStream,
  toolStream,
} from '../shared/body.ts'
import type { Body, LastElement, TurnShape } from '../shared/body.ts'
import { credentialMembers } from '../shared/credentials.ts'
import { settingsUpTo } from '../shared/settings.ts'
import { readErrorWith } from '../shared/errors.ts'
import type { ErrorBody } from '../shared/errors.ts'
import { chooseRetention, keyWithoutEffect } from '../shared/retention.ts'
import { chooseBreakpoints, chooseCut } from '../shared/strategy.ts'
import { NO_MARKERS } from '../shared/layout.ts'
import { PLAIN } from '../../wire.ts'
import type { Wire } from '../../wire.ts'
import type { Compared } from '../../compared.ts'
import type {
  Dialect,
  DialectDefinition,
  NativeRequest,
  NeutralRequest,
  PreparedPrefix,
  ProbeOptions,
  ProbeRequest,
} from '../../dialect.ts'
import { readAnswer, readUsage } from './answer.ts'
import { geminiFaults } from './faults.ts'
import { LINT, SECTIONS } from './layout.ts'
import { settingMembers } from './neutral.ts'
import {
  contentSettings,
  GENERATION,
  HANDLE,
  isDefaultToolConfig,
  named,
  SAMPLING,
  SYSTEM,
  TOOL_CONFIG,
} from './settings.ts'
import { spelled } from './spelling.ts'
import { geminiTurns } from './turn.ts'

/**
 * Gemini generateContent with its implicit cache, which needs no markers.
 * Source: SDK 3.1.0 types and ai.google.dev caching pages, checked 2026-11-21.
 */
export const geminiContent: DialectDefinition = {
  id: 'gemini-content',
  // The Gemini API has its version in the path; Vertex has it in the address.
  wire: { ...PLAIN, version: '/v1beta', countedIn: 'generateContentRequest', lacks: ['parallel_tool_calls'] },
  client: 'fetch',
  labPath: '/gemini',
  recognises: (root) => member(root, 'contents') !== undefined || member(root, 'systemInstruction') !== undefined,
  create,
}

function create(wire: Wire): Dialect {
  const refusesPrimitive = (body: ErrorBody): boolean => /max_?output_?tokens/i.test(body.message)
  return {
    prepare,
    compared,
    spelled,
    faults: geminiFaults,
    render,
    primitives: (_text, facts) => facts.primitives,
    probe: (prefix, options) => probe(prefix, options, wire),
    count: countTokens(wire),
    readAnswer,
    readUsage,
    readError: (status, headers, text) => readErrorWith({ refusesPrimitive, words: wire }, status, headers, text),
    sections: SECTIONS,
    markers: NO_MARKERS,
    lint: LINT,
    turns: geminiTurns(wire),
    unknownModel: { primitives: ['one_token', 'floor_tokens'], writesReported: false, sharedBy: 'tokens' },
    outputFloor: FLOOR_TOKENS,
    lacks: wire.lacks,
  }
}

const SHAPE: TurnShape = { list: 'contents', parts: 'parts' }
const FLOOR_TOKENS = 16

/** The functions that an entry of `tools` declares, or the entry itself where it is a tool of the provider. */
function declarations(tool: JsonNode): JsonNode[] {
  const declared = named(tool, ['functionDeclarations', 'function_declarations'])
  return declared === null ? [tool] : items(declared.node)
}

/** The id for paths, without the collection `models/` that callers may add. */
function plainModel(id: string): string {
  const plain = id.startsWith('models/') ? id.slice('models/'.length) : id
  if (!/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/.test(plain) || plain.split('/').some((part) => /^\.+$/.test(part))) {
    throw invalid('request.model', 'may hold letters, digits, dots, hyphens, underscores and single slashes only')
  }
  return plain
}

function prepare(request: NativeRequest, facts: (model: string) => ModelFacts): PreparedPrefix {
  const body = readBody(request.text)
  const model = modelOf(body, request.model, plainModel)
  const tools = objectList(body.root, 'tools').flatMap(declarations).length
  limitTools(tools)
  const turns = objectList(body.root, 'contents')
  const handle = named(body.root, HANDLE)
  if (handle !== null) {
    for (const name of [...SYSTEM, 'tools', ...TOOL_CONFIG]) {
      if (named(body.root, [name]) !== null) {
        throw invalid(`request.${name}`, `cannot be combined with ${handle.key}, which already contains it`)
      }
    }
    throw behindHandle(handle.key)
  }
  refuseHandle(request, body)
  const atTools = named(body.root, SYSTEM) === null
  const chosen = chooseCut(request, { turns, shape: SHAPE, tools, atTools })
  const cut = chosen.cut ?? 'none'
  const stored = readBody(edit(body.text, cutEdits(body.root, cut, SHAPE)))
  const last = lastElement(stored.root)
  const retention = chooseRetention(request.cache, null, facts(model), ['implicit'])

  const said = readBody(spelled(stored.text))
  const kept = items(member(said.root, 'contents')).length === 0 ? [] : memberStream(said, 'contents')
  const prompt = [...systemOf(said), ...toolsOf(said), ...toolConfigOf(said), ...kept]
  return {
    model,
    text: stored.text,
    breakpoint: { path: last.path, byte: byteOffset(stored.text, last.node.end) },
    retention: retention.name,
    canonical: joinStreams([...prompt, ...settingsUpTo(contentSettings(said, facts(model)), 0)]),
    cacheKey: null,
    ...sizeOf(prompt),
    advice: [
      ...retention.advice,
      ...keyWithoutEffect(request.cache),
      ...chosen.advice,
      ...chooseBreakpoints(request.cache, chosen, 0).advice,
    ],
  }
}

function toolsOf(body: Body): [string, string][] {
  return toolStream(body, { drop: new Set(credentialMembers(body.root)) })
}

function toolConfigOf(body: Body): [string, string][] {
  return isDefaultToolConfig(body) ? [] : memberStream(body, 'toolConfig')
}

/** One system prompt is the system's, whatever role a client gives it. */
function systemOf(body: Body): [string, string][] {
  const system = member(body.root, 'systemInstruction')
  const role = system?.type === 'object' ? system.members.filter(({ key }) => key === 'role') : []
  return memberStream(body, 'systemInstruction', { drop: new Set(role) })
}

function compared({ text, model }: NativeRequest, facts: (model: string) => ModelFacts): Compared {
  const body = readBody(spelled(text))
  const handle = named(body.root, HANDLE)
  if (handle !== null) throw behindHandle(handle.key)
  // The order in which the provider renders them is unknown: a prefix ends behind all of them, or not at all.
  const around = [...toolsOf(body), ...toolConfigOf(body)].map(([name, said]) => ({ name, text: said, before: 0 }))
  const name = modelOf(body, model, plainModel)
  return { model: name, cacheKey: null, settings: [...around, ...contentSettings(body, facts(name))] }
}

function behindHandle(key: string): Failure {
  return new Failure('unsupported', 'A prefix with a handle is kept by renewing the handle, not by probes.', {
    field: `request.${key}`,
  })
}

/** Refuses a handle given as the strategy. It contains the prefix already, so a probe would warm another cache. */
function refuseHandle({ cache }: NativeRequest, body: Body): void {
  const strategy = cache?.strategy
  if (typeof strategy !== 'object' || !('handle' in strategy)) return
  const field = strategy.at ?? 'cache.strategy.handle'
  const beside = [...SYSTEM, 'tools', ...TOOL_CONFIG].find((name) => named(body.root, [name]) !== null)
  if (beside !== undefined)
    throw invalid(field, `cannot be combined with request.${beside}, which a handle already contains`)
  throw new Failure('unsupported', `${field}: a prefix with a handle is kept with POST /caches, not by probes.`, {
    field,
  })
}

function lastElement(root: JsonObject): LastElement {
  const turn = lastTurnElement(items(member(root, 'contents')), SHAPE)
  if (turn !== null) {
    if (items(member(turn.turn ?? undefined, 'parts')).some((part) => named(part, ['functionCall', 'function_call']))) {
      throw invalid(
        `request.${turn.path}`,
        'ends the prefix between a function call and its response; end it after the response',
      )
    }
    return turn
  }
  const toolConfig = named(root, TOOL_CONFIG)
  const tool = lastToolElement(root)
  const system = named(root, SYSTEM)
  const ends = [
    ...(system === null ? [] : [{ node: system.node, path: system.key, turn: null }]),
    ...(tool === null ? [] : [tool]),
    ...(toolConfig === null || tool === null ? [] : [{ node: toolConfig.node, path: toolConfig.key, turn: null }]),
  ]
  if (ends.length === 0) {
    throw invalid('request', 'contains nothing that stays the same between requests; add systemInstruction or tools')
  }
  // All of them are in the prefix, and the order in which the provider renders them is unknown. The last in the text ends the prefix.
  return ends.reduce((last, end) => (end.node.end > last.node.end ? end : last))
}

function probe(
  prefix: Pick<PreparedPrefix, 'text' | 'model' | 'breakpoint'>,
  options: ProbeOptions,
  wire: Wire,
): ProbeRequest {
  const body = readBody(prefix.text)
  const { root } = body
  if (options.primitive !== 'one_token' && options.primitive !== 'floor_tokens') {
    throw new Failure('unsupported', 'This wire format does not support this kind of probe.', {
      primitive: options.primitive,
    })
  }
  const floor = options.primitive === 'one_token' ? 1 : FLOOR_TOKENS
  const cap = Math.max(floor, options.outputTokens ?? floor)
  const changes: Record<string, string> = {}
  const placeholder = `{"role":"user","parts":[{"text":${JSON.stringify(PLACEHOLDER_TEXT)}}]}`
  const edits = appendTo(root, 'contents', placeholder) ?? []
  if (edits.length === 0) changes['contents'] = `[${placeholder}]`

  const generation = named(root, GENERATION)
  if (generation?.node.type === 'object') {
    const snake = member(generation.node, 'max_output_tokens') !== undefined
    const sampling = Object.fromEntries([...SAMPLING].map((name) => [name, null]))
    const capName = snake ? 'max_output_tokens' : 'maxOutputTokens'
    edits.push(...objectEdits(generation.node, { ...sampling, [capName]: String(cap) }))
  } else changes['generationConfig'] = `{"maxOutputTokens":${cap}}`
  edits.push(...objectEdits(root, changes))

  const model = plainModel(prefix.model)
  const resource = model.startsWith('tunedModels/') ? model : `models/${model}`
  return { path: `${wire.version}/${resource}:generateContent`, body: edit(body.text, edits), outputTokens: cap }
}

function render(request: NeutralRequest): string {
  const members = settingMembers(request.settings)
  if (request.system !== undefined && request.system !== '') {
    members.push(`"systemInstruction":{"parts":[{"text":${JSON.stringify(request.system)}}]}`)
  }
  if (request.tools !== undefined && request.tools.length > 0) {
    const tools = request.tools.map((tool) => {
      const description = tool.description === undefined ? '' : `,"description":${JSON.stringify(tool.description)}`
      return `{"name":${JSON.stringify(tool.name)}${description},"parametersJsonSchema":${tool.parametersText}}`
    })
    members.push(`"tools":[{"functionDeclarations":[${tools.join(',')}]}]`)
  }
  const contents = (request.messages ?? []).map(({ role, content }) => {
    const name = role === 'assistant' ? 'model' : 'user'
    return `{"role":"${name}","parts":[{"text":${JSON.stringify(content)}}]}`
  })
  members.push(`"contents":[${contents.join(',')}]`)
  return `{${members.join(',')}}`
}
