import { arrayEdits, objectEdits } from '../../core/json-edit.ts'
import type { Edit } from '../../core/json-edit.ts'
import { items, member, stringMember } from '../../core/json-text.ts'
import type { JsonArray, JsonNode, JsonObject } from '../../core/json-text.ts'

/** An element of its own in a list of tools, system blocks or content: what stands in front of it is written. */
export const POINT = 'cachePoint'

export const MAX_POINTS = 4

export interface Point {
  list: JsonArray
  index: number
  value: JsonObject
  /** Index of the message that holds it, null in tools and system. */
  turn: number | null
}

export function isPoint(node: JsonNode | undefined): boolean {
  return member(node, POINT)?.type === 'object'
}

export function toolList(root: JsonObject): JsonNode | undefined {
  return member(member(root, 'toolConfig'), 'tools')
}

/** The lists in which a point may stand, in the order of the prompt. */
function lists(root: JsonObject): { list: JsonArray; turn: number | null }[] {
  const turns = items(member(root, 'messages'))
  return [
    { node: toolList(root), turn: null },
    { node: member(root, 'system'), turn: null },
    ...turns.map((message, turn) => ({ node: member(message, 'content'), turn })),
  ].flatMap(({ node, turn }) => (node?.type === 'array' ? [{ list: node, turn }] : []))
}

export function points(root: JsonObject): Point[] {
  return lists(root).flatMap(({ list, turn }) =>
    list.items.flatMap((item, index) => {
      const value = member(item, POINT)
      return value?.type === 'object' ? [{ list, index, value, turn }] : []
    }),
  )
}

/** Edits that take every point away: what is left is the prompt. */
export function withoutPoints(root: JsonObject): Edit[] {
  return lists(root)
    .filter(({ list }) => list.items.some(isPoint))
    .flatMap(({ list }) => arrayEdits(list, (index) => !isPoint(list.items[index])))
}

/** The JSON text of a point; the default lifetime needs no `ttl`. */
export function pointText(retention: string): string {
  const ttl = retention === '5m' ? '' : `,"ttl":${JSON.stringify(retention)}`
  return `{"${POINT}":{"type":"default"${ttl}}}`
}

/** All points of a probe carry one retention: a longer one behind a shorter one is refused. */
export function pointEdits({ value }: Point, retention: string): Edit[] {
  const present = stringMember(value, 'ttl') ?? '5m'
  return present === retention ? [] : objectEdits(value, { ttl: JSON.stringify(retention) })
}
