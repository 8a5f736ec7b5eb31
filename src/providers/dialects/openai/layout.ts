import { member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonNode } from '../../../core/prompt/json-text.ts'
import { edit, objectEdits, replaceNode } from '../../../core/prompt/json-edit.ts'
import { FORCED_TOOL, isOneOf, section } from '../shared/layout.ts'
import { LINT as CONTROL_LINT } from '../anthropic-messages/layout.ts'
import { MARKER as CONTROL } from '../anthropic-messages/markers.ts'
import { hasBreakpoints, MARKER, MARKER_TEXT, textBlock } from './breakpoints.ts'
import type { OpenaiShape } from './breakpoints.ts'
import type { Wire } from '../../wire.ts'
import type { CacheMarkers, LintLayout, ParameterRule, Section } from '../../dialect.ts'

export function chatSections(wire: Wire): readonly Section[] {
  return [section('list', ['tools']), { ...section('turns', ['messages']), ...rolesOf(wire) }]
}

export function responsesSections(wire: Wire): readonly Section[] {
  return [
    section('list', ['tools']),
    // Instructions are "a system (or developer) message inserted into the model's context", in front of the others.
    { ...section('value', ['instructions']), ...(wire.controls === 'all' ? { turnOf: ['input', DEVELOPER] } : {}) },
    { ...section('turns', ['input']), ...rolesOf(wire) },
  ]
}

const DEVELOPER = '"developer"'

/**
 * At OpenAI a message of the system is a developer's. Sources: openai SDK 7.55.0, `instructions` and "developer messages replace the previous
 * system messages"; learn.microsoft.com, Azure OpenAI reasoning models ("it will be treated as a developer message"); checked 2026-11-30.
 * Assumed of models that do not reason, such as GPT-4.1. Other servers may render the two differently.
 */
function rolesOf(wire: Wire): Pick<Section, 'roles'> {
  return wire.controls === 'all' ? { roles: new Map([['system', DEVELOPER]]) } : {}
}

/** Source: developers.openai.com prompt caching guide, checked 2026-11-21. */
const FORCED: ParameterRule = {
  path: ['tool_choice'],
  when: (node: JsonNode) => node.type === 'object' && stringMember(node, 'type') !== 'allowed_tools',
  message: FORCED_TOOL,
  fix: 'To narrow the tools of one call, keep the whole list and use tool_choice of type allowed_tools.',
}

const TRUNCATION: ParameterRule = {
  path: ['truncation'],
  when: isOneOf('auto'),
  message: 'Truncation removes the first turns of a prompt that is too long, which changes the prefix.',
  fix: 'Shorten the history yourself, rarely and much at once.',
}

export function chatLint(wire: Wire): LintLayout {
  return layout(wire, { system: [], turns: 'messages', parameters: [FORCED] })
}

export function responsesLint(wire: Wire): LintLayout {
  return layout(wire, { system: ['instructions'], turns: 'input', parameters: [FORCED, TRUNCATION] })
}

/** Some providers pass Anthropic's markers on. Anthropic's limits hold for them as well. */
function layout(wire: Wire, own: Pick<LintLayout, 'system' | 'turns' | 'parameters'>): LintLayout {
  const { marker, maxMarkers, lookback } = wire.markers.includes(CONTROL)
    ? CONTROL_LINT
    : { marker: MARKER, maxMarkers: null, lookback: null }
  return { tools: ['tools'], parts: 'content', marker, maxMarkers, lookback, ...own }
}

/** Markers of both formats. OpenAI's own state no lifetime, and passed-on ones stay as the caller wrote them. */
export function cacheMarkers(shape: OpenaiShape): CacheMarkers {
  return {
    members: [CONTROL, MARKER],
    element: null,
    markBlock({ text }, { node, turn }, retention) {
      if (shape.wire.controls !== 'all' || !hasBreakpoints(retention) || turn === null || !shape.markable(turn))
        return null
      if (member(node, MARKER)?.type === 'object') return text
      if (node.type === 'object') return edit(text, objectEdits(node, { [MARKER]: MARKER_TEXT }))
      if (node.type !== 'string') return null
      const block = textBlock(text.slice(node.start, node.end), shape, { name: MARKER, text: MARKER_TEXT })
      return edit(text, [replaceNode(node, block)])
    },
    markEnd: () => [],
    setRetention: () => [],
  }
}
