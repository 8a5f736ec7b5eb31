import { Failure } from '../../../contract/failure.ts'
import { items, member } from '../../../core/prompt/json-text.ts'
import type { JsonNode } from '../../../core/prompt/json-text.ts'
import { invalid } from './body.ts'
import type { Cut, TurnShape } from './body.ts'
import type { Advice } from '../../../core/model/advice.ts'
import type { CacheRequest, ExplicitBreakpoint, NativeRequest } from '../../dialect.ts'

/** A request about the cache that cannot be met as asked. */
export interface Shortfall {
  /** Stable identifier, the same in advice and in a refusal. */
  cause: string
  /** Field of the request with the wish. */
  at: string
  why: string
  /** Sentence: what is done instead, in the mode `best_effort`. */
  instead: string
}

/**
 * Returns advice in the mode `best_effort`, and refuses in the mode `required`, before anything is sent.
 * Throws `unsupported`, or `kind` for a mistake in the request, with the field and the cause.
 */
export function degraded(
  cache: CacheRequest | undefined,
  { cause, at, why, instead }: Shortfall,
  kind: 'unsupported' | 'invalid_request' = 'unsupported',
): Advice[] {
  if (cache?.mode !== 'required') return [{ cause, message: `${why} ${instead}`, at }]
  throw new Failure(kind, `${at}: ${why} cache.mode is required, so nothing was sent.`, { field: at, cause })
}

/** The parts of a body that a strategy may name as the end of the prefix. */
export interface Ends {
  turns: readonly JsonNode[]
  shape: TurnShape
  tools: number
  /** Whether a prefix can end at the tools. False: other parts of the prompt follow them. */
  atTools: boolean
}

/** A breakpoint in front of the one that ends the prefix, and the field that requests it. */
export interface EarlierBreakpoint {
  cut: Exclude<Cut, 'none'>
  at: string
}

/** `earlier`: the other requested breakpoints, without duplicates, in the order of the prompt. */
export interface ChosenCut {
  cut: Cut | null
  earlier: EarlierBreakpoint[]
  advice: Advice[]
}

/**
 * The end of the prefix by the caller's strategy. `cut` is null where the strategy leaves it to the wire format. `last: n` treats the last
 * n items as volatile and ends the prefix before them. Of several explicit breakpoints the last one ends it. An impossible one is moved to
 * the nearest possible end, with advice.
 */
export function chooseCut({ cache, whole }: NativeRequest, ends: Ends): ChosenCut {
  const strategy = cache?.strategy ?? 'automatic'
  const { turns } = ends
  const ownChoice: Cut | null = whole !== true ? null : before(turns.length)
  if (strategy === 'automatic' || 'count' in strategy) return { cut: ownChoice, earlier: [], advice: [] }
  if ('last' in strategy) return { cut: before(turns.length - strategy.last), earlier: [], advice: [] }
  if ('handle' in strategy) {
    const advice = degraded(cache, {
      cause: 'handle_not_used',
      at: strategy.at ?? 'cache.strategy.handle',
      why: 'This provider does not support handles.',
      instead: 'The handle is ignored.',
    })
    return { cut: ownChoice, earlier: [], advice }
  }
  if (strategy.explicit.length === 0) throw invalid('cache.strategy.explicit', 'names no breakpoint')
  const advice: Advice[] = []
  const found: { cut: Cut; at: string }[] = []
  for (const [index, point] of strategy.explicit.entries()) {
    const at = `cache.strategy.explicit[${index}]`
    const { cut, advice: said } = endOf(point, at, cache, ends)
    advice.push(...said)
    if (cut !== null && !found.some((one) => compareCuts(one.cut, cut) === 0)) found.push({ cut, at })
  }
  const sorted = found.toSorted((a, b) => compareCuts(a.cut, b.cut))
  const furthest = sorted.pop()?.cut ?? ownChoice
  return { cut: furthest, earlier: sorted.flatMap(({ cut, at }) => (cut === 'none' ? [] : [{ cut, at }])), advice }
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
    const why = 'This provider cannot end a prefix at its tools, because the prompt continues after them.'
    return { cut: null, advice: degraded(cache, { cause: 'tools_end_not_offered', at, why, instead }) }
  }
  const [item, part] = 'itemEnd' in point ? [point.itemEnd, null] : point.partEnd
  const moved = (why: string, instead: string): Advice[] =>
    degraded(cache, { cause: 'breakpoint_moved', at, why, instead }, 'invalid_request')
  if (turns.length === 0) {
    const advice = moved(`It names item ${item} of ${shape.list}, which is empty.`, 'The prefix ends before them.')
    return { cut: 'none', advice }
  }
  const turn = turns[item]
  if (turn === undefined) {
    const nearest = turns.length - 1
    const why = `It names item ${item} of ${shape.list}, which has only ${turns.length}.`
    const advice = moved(why, `The prefix ends at the nearest one, ${shape.list}[${nearest}].`)
    return { cut: { item: nearest, part: null }, advice }
  }
  const content = member(turn, shape.parts)
  const parts = content?.type === 'string' ? 1 : items(content).length
  if (part === null || part === parts - 1) return { cut: { item, part: null }, advice: [] }
  if (part < parts) return { cut: { item, part }, advice: [] }
  const why = `It names part ${part} of ${shape.list}[${item}], which has only ${parts}.`
  return { cut: { item, part: null }, advice: moved(why, `The prefix ends at the end of ${shape.list}[${item}].`) }
}

/** Compares two ends by their position in the prompt. */
function compareCuts(a: Cut, b: Cut): number {
  const place = (cut: Cut): [number, number] =>
    cut === 'tools' ? [-2, 0] : cut === 'none' ? [-1, 0] : [cut.item, cut.part ?? Number.MAX_SAFE_INTEGER]
  const [itemA, partA] = place(a)
  const [itemB, partB] = place(b)
  return itemA === itemB ? partA - partB : itemA - itemB
}

/**
 * The breakpoints that a probe sets in front of the end of the prefix, with advice about the requested ones that it does not set. The one
 * at the end is set in any case. `most`: breakpoints allowed in a request; 0: the provider takes none.
 */
export function chooseBreakpoints(
  cache: CacheRequest | undefined,
  chosen: Pick<ChosenCut, 'earlier'>,
  most: number,
): { earlier: EarlierBreakpoint[]; advice: Advice[] } {
  const strategy = cache?.strategy
  if (typeof strategy !== 'object' || !('explicit' in strategy || 'count' in strategy))
    return { earlier: [], advice: [] }
  const isCount = 'count' in strategy
  const at = isCount ? (strategy.at ?? 'cache.breakpoints') : 'cache.strategy.explicit'
  if (most === 0) {
    const advice = degraded(cache, {
      cause: 'breakpoints_without_effect',
      at,
      why: 'This request cannot carry breakpoints, because the provider finds prefixes by itself.',
      instead: 'The last breakpoint only sets the end of the prefix.',
    })
    return { earlier: [], advice }
  }
  const asked = isCount ? strategy.count : chosen.earlier.length + 1
  if (asked <= most) return { earlier: chosen.earlier, advice: [] }
  const instead = isCount
    ? 'A probe sets one at the end of the prefix, in addition to those in the request.'
    : `Only the last ${most} are set.`
  const why = `A request may carry at most ${most} breakpoints, but ${asked} were requested.`
  const advice = degraded(cache, { cause: 'too_many_breakpoints', at, why, instead }, 'invalid_request')
  return { earlier: chosen.earlier.slice(chosen.earlier.length - (most - 1)), advice }
}

/** Advice for a breakpoint at a position that takes no marker. The others are set. */
export function unmarkable(cache: CacheRequest | undefined, { at }: EarlierBreakpoint, path: string): Advice[] {
  return degraded(cache, {
    cause: 'breakpoint_not_markable',
    at,
    why: `${path} cannot carry a marker.`,
    instead: 'This breakpoint is left out.',
  })
}

/** How many markers exceed `most`, with the one at the end of the prefix. */
export function markersOver(marked: number, isEndMarked: boolean, most: number): number {
  return Math.max(0, marked + (isEndMarked ? 0 : 1) - most)
}

/** Advice for a request that has the most markers already, none of them at the end of the prefix. The first ones make room. */
export function droppedMarker(
  cache: CacheRequest | undefined,
  marked: number,
  isEndMarked: boolean,
  most: number,
): Advice[] {
  const over = markersOver(marked, isEndMarked, most)
  if (over === 0) return []
  const has = isEndMarked ? 'one of them' : 'none'
  return degraded(
    cache,
    {
      cause: 'marker_dropped',
      at: 'request',
      why: `With the requested ones it has ${marked} cache markers, ${has} at the end of the prefix. One is needed there, and at most ${most} are allowed.`,
      instead: over === 1 ? 'Probes omit the first one.' : `Probes omit the first ${over}.`,
    },
    'invalid_request',
  )
}
