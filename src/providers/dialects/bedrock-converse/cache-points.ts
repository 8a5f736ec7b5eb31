import { arrayEdits, objectEdits } from '../../../core/prompt/json-edit.ts'
import type { Edit } from '../../../core/prompt/json-edit.ts'
import { items, member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonArray, JsonNode, JsonObject } from '../../../core/prompt/json-text.ts'
import { retentionBefore } from '../shared/retention.ts'
import { unmarkable } from '../shared/strategy.ts'
import type { EarlierBreakpoint } from '../shared/strategy.ts'
import type { Advice } from '../../../core/model/advice.ts'
import type { CacheRequest } from '../../dialect.ts'

/** Member of a cache point: a list element among tools, system blocks or content. The prompt in front of it is written. */
export const POINT = 'cachePoint'

export const MAX_POINTS = 4

export interface Point {
  list: JsonArray
  index: number
  value: JsonObject
  /** Index of the message that contains it; null in tools and system. */
  turn: number | null
}

export function isPoint(node: JsonNode | undefined): boolean {
  return member(node, POINT)?.type === 'object'
}

export function toolList(root: JsonObject): JsonNode | undefined {
  return member(member(root, 'toolConfig'), 'tools')
}

/** Lists that may contain a point, in the order of the prompt. */
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

/** Edits that remove all points. The rest is the prompt. */
export function withoutPoints(root: JsonObject): Edit[] {
  return lists(root)
    .filter(({ list }) => list.items.some(isPoint))
    .flatMap(({ list }) => arrayEdits(list, (index) => !isPoint(list.items[index])))
}

/** The JSON text of a point. The default lifetime needs no `ttl`. */
export function pointText(retention: string): string {
  const ttl = retention === '5m' ? '' : `,"ttl":${JSON.stringify(retention)}`
  return `{"${POINT}":{"type":"default"${ttl}}}`
}

/** The lifetime of a point. */
export function ttlOf({ value }: Point): string {
  return stringMember(value, 'ttl') ?? '5m'
}

/** Edits that set a point to a retention. */
export function pointEdits(point: Point, retention: string): Edit[] {
  return ttlOf(point) === retention ? [] : objectEdits(point.value, { ttl: JSON.stringify(retention) })
}

/** Thinking takes no marker in Anthropic's own format. Bedrock's rule is not documented, so no point is set behind it. */
const UNMARKABLE = 'reasoningContent'

/**
 * Sets points at the requested breakpoints in front of the end of a stored body, each with the lifetime of the next point behind it. Where
 * there is none it is the default, which a probe sets to its retention.
 */
export function earlierPoints(
  root: JsonObject,
  earlier: readonly EarlierBreakpoint[],
  cache: CacheRequest | undefined,
): { edits: Edit[]; advice: Advice[] } {
  const edits: Edit[] = []
  const advice: Advice[] = []
  const turns = items(member(root, 'messages'))
  const marked = points(root).map((one) => ({ start: one.value.start, retention: ttlOf(one) }))
  for (const point of earlier) {
    const { cut } = point
    const list = cut === 'tools' ? toolList(root) : member(turns[cut.item], 'content')
    const path = cut === 'tools' ? 'toolConfig.tools' : `messages[${cut.item}].content`
    const blocks = items(list)
    const last = cut === 'tools' || cut.part === null ? blocks.length - 1 : cut.part
    const index = blocks.findLastIndex((block, place) => place <= last && !isPoint(block))
    const block = blocks[index]
    if (block === undefined || member(block, UNMARKABLE) !== undefined) {
      advice.push(...unmarkable(cache, point, index < 0 ? path : `${path}[${index}]`))
    } else if (!isPoint(blocks[index + 1]) && !edits.some(({ start }) => start === block.end)) {
      edits.push({
        start: block.end,
        end: block.end,
        replacement: `,${pointText(retentionBefore(marked, block.start, '5m'))}`,
      })
    }
  }
  return { edits, advice }
}
