import { arrayEdits, edit } from '../../../core/prompt/json-edit.ts'
import type { Edit } from '../../../core/prompt/json-edit.ts'
import { items, member } from '../../../core/prompt/json-text.ts'
import type { JsonArray, JsonNode, JsonObject } from '../../../core/prompt/json-text.ts'
import { invalid } from '../shared/body.ts'
import { isLayout, retentionBefore } from '../shared/retention.ts'
import { markersOver } from '../shared/strategy.ts'
import { isPoint, MAX_POINTS, POINT, pointEdits, points, pointText, toolList, ttlOf } from './cache-points.ts'
import type { Point } from './cache-points.ts'
import type { CacheMarkers } from '../../dialect.ts'

/** The element at the end of a stored prefix, and the list that takes a point behind it. */
export interface End {
  node: JsonNode
  path: string
  list: JsonArray
}

/** The last block of a stored prefix, points not counted. Throws `invalid_request` where none can end a prefix. */
export function lastElement(root: JsonObject): End {
  const turns = items(member(root, 'messages'))
  const turn = turns.at(-1)
  const at = `messages[${turns.length - 1}].content`
  if (turn !== undefined) {
    const end = lastOf(member(turn, 'content'), at)
    if (end === null) throw invalid(`request.${at}`, 'is empty, so no prefix can end there')
    if (items(end.list).some((block) => member(block, 'toolUse') !== undefined)) {
      throw invalid(`request.${end.path}`, 'ends the prefix between a tool use and its result; end it after the result')
    }
    return end
  }
  const end = lastOf(member(root, 'system'), 'system') ?? lastOf(toolList(root), 'toolConfig.tools')
  if (end === null) {
    throw invalid('request', 'contains nothing that stays the same between requests; add system or toolConfig')
  }
  return end
}

function lastOf(list: JsonNode | undefined, path: string): End | null {
  if (list?.type !== 'array') return null
  const index = list.items.findLastIndex((item) => !isPoint(item))
  const node = list.items[index]
  return node === undefined ? null : { node, path: `${path}[${index}]`, list }
}

/** Whether a point follows the element. */
export function isMarked({ node, list }: End): boolean {
  return isPoint(list.items[list.items.indexOf(node) + 1])
}

/**
 * Edits that set a point at the end of a stored body, and all of its points to one retention, unless they are a layout of several that
 * ends with it. Probes and real requests must agree on both.
 * `behind` holds elements to add after the point.
 */
export function endPointEdits(root: JsonObject, retention: string, behind: readonly string[] = []): Edit[] {
  const end = lastElement(root)
  const marked = points(root)
  const isEndMarked = isMarked(end)
  // The first points make room for the one at the end: they only add shorter entries.
  const over = markersOver(marked.length, isEndMarked, MAX_POINTS)
  const dropped = marked.slice(0, over)
  const edits = withRetention(marked, retention, marked.slice(over))
  const added = [...(isEndMarked ? [] : [pointText(retention)]), ...behind]
  for (const list of new Set([end.list, ...dropped.map((point) => point.list)])) {
    const append = list === end.list ? added : []
    const gone = dropped.filter((point) => point.list === list)
    if (append.length === 0 && gone.length === 0) continue
    edits.push(...arrayEdits(list, (index) => !gone.some((point) => point.index === index), append))
  }
  return edits
}

export const MARKERS: CacheMarkers = {
  members: [],
  element: POINT,
  markBlock({ text, root }, { node }, retention) {
    const marked = points(root)
    if (marked.some(({ list, index }) => list.items[index - 1] === node)) return text
    if (marked.length + 1 >= MAX_POINTS) return null
    const ttls = marked.map((point) => ({ start: point.value.start, retention: ttlOf(point) }))
    const ttl = isLayout(marked.map(ttlOf), retention) ? retentionBefore(ttls, node.start, retention) : retention
    return edit(text, [{ start: node.end, end: node.end, replacement: `,${pointText(ttl)}` }])
  },
  markEnd: ({ root }, retention) => endPointEdits(root, retention),
  setRetention: ({ root }, retention) => withRetention(points(root), retention),
}

/** Edits that set the points of a body to one retention; none where they are a layout that ends with it. */
function withRetention(marked: readonly Point[], retention: string, changed = marked): Edit[] {
  return isLayout(marked.map(ttlOf), retention) ? [] : changed.flatMap((point) => pointEdits(point, retention))
}
