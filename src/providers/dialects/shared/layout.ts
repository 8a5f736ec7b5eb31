import { stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonNode } from '../../../core/prompt/json-text.ts'
import type { CacheMarkers, Section } from '../../dialect.ts'

/** Helpers for the layout of a dialect: sections, markers, parameter rules. */

export function section(
  kind: Section['kind'],
  names: readonly string[],
  { parts = 'content', outer = null }: Partial<Pick<Section, 'parts' | 'outer'>> = {},
): Section {
  return { kind, names, parts, outer }
}

/** A format without cache markers. */
export const NO_MARKERS: CacheMarkers = {
  members: [],
  element: null,
  markBlock: () => null,
  markEnd: () => [],
  setRetention: () => [],
}

/** A test for a parameter that is one of `values`, or whose `type` is. */
export function isOneOf(...values: string[]): (node: JsonNode) => boolean {
  return (node) =>
    (node.type === 'string' && values.includes(node.value)) || values.includes(stringMember(node, 'type') ?? '')
}

export const FORCED_TOOL =
  'This request forces a tool. Calls with another tool_choice do not read entries that are written with this one.'

export const KEEP_TOOL_CHOICE =
  'Keep tool_choice the same in all calls that share the prefix. Name the wanted tool in the last turn.'
