import { items, member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonNode, JsonObject } from '../../../core/prompt/json-text.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import { readBody } from '../shared/body.ts'
import { callMembers, isBlankText, markerFaults, tooMany } from '../shared/faults.ts'
import { MARKER as CONTROL, MAX_MARKERS } from '../anthropic-messages/markers.ts'
import type { Fault } from '../../dialect.ts'
import { hasBreakpoints, MARKER, OPTIONS } from './breakpoints.ts'
import type { OpenaiShape } from './breakpoints.ts'
import { isMarkedModel } from './mark.ts'

/**
 * What OpenAI's formats are known to refuse. Only OpenAI's own servers refuse what they do not know: others ignore it.
 * Sources: openai SDK 7.59.0 types, the prompt caching guide and openrouter.ai's, checked 2026-11-30.
 */
export function openaiFaults(text: string, facts: ModelFacts, shape: OpenaiShape): Fault[] {
  const { root } = readBody(text)
  const { wire } = shape
  const isOwn = wire.controls === 'all'
  const model = stringMember(root, 'model') ?? ''
  return [
    ...callMembers(root, isOwn),
    ...(isOwn ? [...breakpointFaults(root, shape), ...optionFaults(root, facts, shape)] : []),
    ...(isMarkedModel(wire, model) ? controlFaults(root, shape) : []),
    ...(isOwn ? foreignMarkers(root, shape) : []),
    ...samplingFaults(root, facts),
  ]
}

/** Lifetimes of Anthropic's markers. */
const CONTROL_RETENTIONS = ['5m', '1h']

interface Place {
  node: JsonNode
  path: string
}

function partsOf(root: JsonObject, { turns }: OpenaiShape): Place[] {
  return items(member(root, turns.list)).flatMap((turn, item) =>
    items(member(turn, turns.parts)).map((node, part) => ({
      node,
      path: `${turns.list}[${item}].${turns.parts}[${part}]`,
    })),
  )
}

/** Lifetimes of OpenAI's own breakpoints and options in this format. */
function lifetimes({ wire }: OpenaiShape): string[] {
  return wire.retentions.filter(hasBreakpoints)
}

function breakpointFaults(root: JsonObject, shape: OpenaiShape): Fault[] {
  return partsOf(root, shape).flatMap(({ node, path }) => {
    const marker = member(node, MARKER)
    if (marker === undefined || marker.type === 'null') return []
    const at = `${path}.${MARKER}`
    const fix = 'Write {"mode":"explicit"}.'
    if (stringMember(marker, 'mode') !== 'explicit') {
      const what = 'must have the mode "explicit"'
      return [{ path: at, cause: 'marker_type', what, fix, refused: true }]
    }
    return lifetimeFaults(marker, at, shape)
  })
}

function lifetimeFaults(owner: JsonNode | undefined, path: string, shape: OpenaiShape): Fault[] {
  const ttl = member(owner, 'ttl')
  const known = lifetimes(shape)
  if (ttl === undefined || ttl.type === 'null' || (ttl.type === 'string' && known.includes(ttl.value))) return []
  const what = `must be ${known.map((name) => JSON.stringify(name)).join(' or ')}`
  const fix = 'Write the lifetime as one of these strings.'
  return [{ path: `${path}.ttl`, cause: 'marker_ttl', what, fix, refused: true }]
}

/** Each generation of models has one member for lifetimes, and refuses or ignores the other's. */
function optionFaults(root: JsonObject, { retentions }: ModelFacts, shape: OpenaiShape): Fault[] {
  const hasOptions = member(root, OPTIONS)?.type === 'object'
  const old = stringMember(root, 'prompt_cache_retention')
  const isCurrent = retentions.some(({ name }) => hasBreakpoints(name))
  if (retentions.length > 0 && !isCurrent) {
    const what = 'this model takes no cache options'
    const fix = 'Use prompt_cache_retention, or a model from GPT-5.6 on.'
    return hasOptions ? [{ path: OPTIONS, cause: 'options_not_taken', what, fix, refused: true }] : []
  }
  const found = lifetimeFaults(member(root, OPTIONS), OPTIONS, shape)
  if (old === undefined || !(isCurrent || hasOptions)) return found
  const what = hasOptions
    ? `stands beside ${OPTIONS}, which says how long entries live`
    : 'is the setting of models before GPT-5.6, and GPT-6 refuses it'
  const fix = `Leave it out, and write ${OPTIONS}.ttl. Probes do so.`
  return [...found, { path: 'prompt_cache_retention', cause: 'retention_not_taken', what, fix, refused: false }]
}

/** Markers of Anthropic's kind, which a router passes on to its models. */
function controlled(root: JsonObject, shape: OpenaiShape) {
  const tools = items(member(root, 'tools')).map((node, index) => ({ node, path: `tools[${index}]` }))
  return [...tools, ...partsOf(root, shape)].flatMap(({ node, path }) => {
    const marker = member(node, CONTROL)
    return marker === undefined || marker.type === 'null' ? [] : [{ node, marker, path: `${path}.${CONTROL}` }]
  })
}

function controlFaults(root: JsonObject, shape: OpenaiShape): Fault[] {
  const places = controlled(root, shape)
  return [
    ...places.flatMap(({ node, marker, path }) => {
      const own = markerFaults(marker, path, { type: 'ephemeral', retentions: CONTROL_RETENTIONS })
      if (!isBlankText(node)) return own
      const fix = 'Leave the block out, and mark the one in front of it.'
      const what = 'empty text cannot carry a marker'
      return [...own, { path, cause: 'marker_on_empty_text', what, fix, refused: true }]
    }),
    ...tooMany(
      places.map(({ path }) => path),
      MAX_MARKERS,
    ),
  ]
}

/** OpenAI has no members of that name, and SDKs for both providers leave them in. */
function foreignMarkers(root: JsonObject, shape: OpenaiShape): Fault[] {
  return controlled(root, shape).map(({ path }) => ({
    path,
    cause: 'marker_type',
    what: "is a marker of Anthropic's API, and none here",
    fix: `Leave it out. OpenAI's own marker is ${MARKER}, from GPT-5.6 on.`,
    refused: false,
  }))
}

/** Probes carry no sampling parameters. Real requests with them are refused unless the effort is `none`. */
function samplingFaults(root: JsonObject, { refuses = [] }: ModelFacts): Fault[] {
  const effort = stringMember(member(root, 'reasoning'), 'effort') ?? stringMember(root, 'reasoning_effort')
  if (!refuses.includes('sampling') || effort === 'none') return []
  return ['temperature', 'top_p', 'logprobs', 'top_logprobs'].flatMap((path) => {
    const node = member(root, path)
    if (node === undefined || node.type === 'null' || node.type === 'false') return []
    const what = 'this model takes no sampling parameter, and refuses real requests with it'
    return [{ path, cause: 'sampling_not_taken', what, fix: 'Leave it out.', refused: false }]
  })
}
