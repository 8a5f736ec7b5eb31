import { Failure } from '../contract/failures.ts'
import { items, member } from '../core/json-text.ts'
import type { JsonNode } from '../core/json-text.ts'
import type { Advice } from '../core/types.ts'
import { invalid } from './body.ts'
import type { Cut, TurnShape } from './body.ts'
import type { CacheRequest, ExplicitBreakpoint, NativeRequest } from './types.ts'

/** Something that cannot be done as it was asked for. */
export interface Shortfall {
  /** Stable name, the same in advice and in a refusal. */
  cause: string
  /** Field of the request that asks for it. */
  at: string
  why: string
  /** What is done instead where that is allowed. */
  instead: string
}

/**
 * Best effort goes on and says how; required refuses before anything is sent.
 * Throws `unsupported` (or the `kind` given, for a fault of the request itself) with the field and the cause.
 */
export function degraded(
  cache: CacheRequest | undefined,
  { cause, at, why, instead }: Shortfall,
  kind: 'unsupported' | 'invalid_request' = 'unsupported',
): Advice[] {
  if (cache?.mode !== 'required') return [{ cause, message: `${why} ${instead}`, at }]
  throw new Failure(kind, `${at}: ${why} cache.mode is required, so nothing was sent.`, { field: at, cause })
}

/** What a wire format has of the things that a strategy may name. */
export interface Ends {
  turns: readonly JsonNode[]
  shape: TurnShape
  tools: number
  /** False where the prompt always goes on behind the tools. */
  atTools: boolean
}

/**
 * Where a strategy that the caller spelled out ends the prefix; `cut` is null when it leaves the choice to the wire format.
 * `last: n` treats the last n items as volatile and ends the prefix before them. Of several explicit breakpoints the furthest
 * ends it. What cannot be had is degraded to the nearest thing that can.
 */
export function chooseCut({ cache, whole }: NativeRequest, ends: Ends): { cut: Cut | null; advice: Advice[] } {
  const strategy = cache?.strategy ?? 'automatic'
  const { turns } = ends
  const ownChoice: Cut | null = whole !== true ? null : before(turns.length)
  if (strategy === 'automatic' || 'count' in strategy) return { cut: ownChoice, advice: [] }
  if ('last' in strategy) return { cut: before(turns.length - strategy.last), advice: [] }
  if ('handle' in strategy) {
    const advice = degraded(cache, {
      cause: 'handle_not_used',
      at: strategy.at ?? 'cache.strategy.handle',
      why: 'This provider has no handles.',
      instead: 'The prefix is kept as without one.',
    })
    return { cut: ownChoice, advice }
  }
  if (strategy.explicit.length === 0) throw invalid('cache.strategy.explicit', 'names no breakpoint')
  const advice: Advice[] = []
  let furthest: Cut | null = null
  for (const [index, point] of strategy.explicit.entries()) {
    const found = endOf(point, `cache.strategy.explicit[${index}]`, cache, ends)
    advice.push(...found.advice)
    if (found.cut !== null && (furthest === null || isBehind(found.cut, furthest))) furthest = found.cut
  }
  return { cut: furthest ?? ownChoice, advice }
}

function before(item: number): Cut {
  return item <= 0 ? 'none' : { item: item - 1, part: null }
}

function endOf(
  point: ExplicitBreakpoint,
  at: string,
  cache: CacheRequest | undefined,
  { turns, shape, tools, atTools }: Ends,
): { cut: Cut | null; advice: Advice[] } {
  if ('toolsEnd' in point) {
    const instead = 'The prefix ends where it would without this breakpoint.'
    if (tools === 0) {
      const why = 'The request has no tools to end at.'
      return { cut: null, advice: degraded(cache, { cause: 'no_tools', at, why, instead }, 'invalid_request') }
    }
    if (atTools) return { cut: 'tools', advice: [] }
    const why = 'This provider cannot end a prefix at its tools, because the prompt goes on behind them.'
    return { cut: null, advice: degraded(cache, { cause: 'tools_end_not_offered', at, why, instead }) }
  }
  const [item, part] = 'itemEnd' in point ? [point.itemEnd, null] : point.partEnd
  const moved = (why: string, instead: string): Advice[] =>
    degraded(cache, { cause: 'breakpoint_moved', at, why, instead }, 'invalid_request')
  if (turns.length === 0) {
    const advice = moved(`It names item ${item} of ${shape.list}, which has none.`, 'The prefix ends in front of them.')
    return { cut: 'none', advice }
  }
  const turn = turns[item]
  if (turn === undefined) {
    const nearest = turns.length - 1
    const why = `It names item ${item} of ${shape.list}, which has ${turns.length}.`
    const advice = moved(why, `The prefix ends at the nearest one, ${shape.list}[${nearest}].`)
    return { cut: { item: nearest, part: null }, advice }
  }
  const content = member(turn, shape.parts)
  const parts = content?.type === 'string' ? 1 : items(content).length
  if (part === null || part === parts - 1) return { cut: { item, part: null }, advice: [] }
  if (part < parts) return { cut: { item, part }, advice: [] }
  const why = `It names part ${part} of ${shape.list}[${item}], which has ${parts}.`
  return { cut: { item, part: null }, advice: moved(why, `The prefix ends at the end of ${shape.list}[${item}].`) }
}

function isBehind(a: Cut, b: Cut): boolean {
  const place = (cut: Cut): [number, number] =>
    cut === 'tools' ? [-2, 0] : cut === 'none' ? [-1, 0] : [cut.item, cut.part ?? Infinity]
  const [itemA, partA] = place(a)
  const [itemB, partB] = place(b)
  return itemA === itemB ? partA > partB : itemA > itemB
}

/**
 * What becomes of breakpoints that were asked for by place or by number. A probe sets one, at the end of the prefix, beside
 * those that the body carries itself. `most` is how many a request may carry; 0: the provider takes none.
 */
export function breakpointAdvice(cache: CacheRequest | undefined, most: number): Advice[] {
  const strategy = cache?.strategy
  if (typeof strategy !== 'object' || !('explicit' in strategy || 'count' in strategy)) return []
  const isCount = 'count' in strategy
  const at = isCount ? 'cache.breakpoints' : 'cache.strategy.explicit'
  const asked = isCount ? strategy.count : strategy.explicit.length
  if (most === 0) {
    return degraded(cache, {
      cause: 'breakpoints_without_effect',
      at,
      why: 'No breakpoint can be set in this request: the provider finds prefixes by itself.',
      instead: 'Only where the kept prefix ends follows from it.',
    })
  }
  const instead = 'A probe sets one, at the end of the prefix, beside those that the request carries itself.'
  if (asked > most) {
    const why = `A request may carry at most ${most} breakpoints; ${asked} were asked for.`
    return degraded(cache, { cause: 'too_many_breakpoints', at, why, instead }, 'invalid_request')
  }
  if (isCount || asked === 1) return []
  const why = `Of the ${asked} breakpoints only the one furthest behind is set.`
  return degraded(cache, { cause: 'breakpoints_dropped', at, why, instead })
}

/** A request with all the markers it may carry, and none of them at the end of the prefix: the first one makes room. */
export function droppedMarker(
  cache: CacheRequest | undefined,
  marked: number,
  isEndMarked: boolean,
  most: number,
): Advice[] {
  if (isEndMarked || marked < most) return []
  return degraded(
    cache,
    {
      cause: 'marker_dropped',
      at: 'request',
      why: `It carries ${marked} cache markers and none at the end of the prefix, where one is needed; at most ${most} are taken.`,
      instead: 'Probes leave the first one out.',
    },
    'invalid_request',
  )
}
