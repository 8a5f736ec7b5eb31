import { RawJson } from '../../contract/raw-json.ts'
import { readFailure } from '../../contract/failure.ts'
import type { ByteEvidence, Difference } from '../../core/diagnosis/evidence.ts'
import { VERDICTS } from '../../core/diagnosis/verdicts.ts'
import type { Verdict } from '../../core/diagnosis/verdicts.ts'
import { positionOf } from '../../core/lint/context.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { member, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonNode } from '../../core/prompt/json-text.ts'
import { bodyOf, cardFor, compared } from '../../diagnosis/diagnose.ts'
import type { Card } from '../../providers/card.ts'
import type { SentBody } from '../../providers/diagnosis/bytes.ts'
import { leavesOf } from '../../providers/lint/leaves.ts'
import type { Leaf } from '../../providers/lint/leaves.ts'
import { factsOf } from '../../runtime/facts.ts'
import { isEnvelope, prepared } from './file.ts'
import type { Asked, FileFinding } from './file.ts'
import { wordStart } from './parting.ts'
import { placeInFile, pointerOf } from './place.ts'
import { printable } from '../shell.ts'

/** A file with a body, and its members. */
export interface Body {
  file: string
  text: string
  root: JsonNode
}

/** Bodies of which less is the same belong to two applications. */
const ALIKE = 0.5
/** Bodies that one is compared with: the first ones that differ. */
const MOST_COMPARED = 20
/** Faults that one body shows alone. */
const ALONE: readonly Verdict[] = ['below_minimum', 'too_many_markers']

/** Causes that lint names in its own words. */
const CAUSES: Partial<Record<Verdict, string>> = { tools_changed: 'tools_differ', tool_order: 'unstable_tool_order' }
/** Places that are named for the verdict, and stand nowhere in a file. */
const BESIDE = /^(?:cache\.key|headers|provider|anthropic-beta)$/

/** What `pilotlight why` says of two bodies. */
export interface Missed {
  file: string
  verdict: Verdict
  place: Difference | null
  /** The text at that place; null: it is no text. */
  value: string | null
}

/** Finds, for each body, why it would not read what an earlier one of its application wrote; null: it would, or it has none. */
export function missedBy(bodies: readonly Body[], asked: Asked): (Missed | null)[] {
  const seen: Native[] = []
  return bodies.map((body) => {
    const own = nativeOf(body, asked)
    if (own === null) return null
    const near = seen.flatMap((earlier) => {
      const share = earlier.card.id === own.card.id ? likeness(earlier.leaves, own.leaves) : 0
      const bytes = share < ALIKE ? null : evidenceOf(earlier, own, asked)
      return bytes === null ? [] : [{ file: earlier.file, share, cause: causeOf(bytes) }]
    })
    if (near.some(({ cause }) => cause === null)) return null
    if (seen.length < MOST_COMPARED) seen.push(own)
    const [nearest] = near.toSorted((a, b) => b.share - a.share)
    if (nearest?.cause == null) return null
    const { verdict, place } = nearest.cause
    const at = pointerOf(place?.path ?? '')
    return { file: nearest.file, verdict, place, value: own.leaves.find((leaf) => leaf.at === at)?.text ?? null }
  })
}

/** The finding of a body that was told of no other fault. */
export function missedFinding({ file, text, root }: Body, { file: other, verdict, place, value }: Missed): FileFinding {
  const { says, fix } = VERDICTS[verdict]
  const isWrapped = member(root, 'request')?.type === 'object'
  const path = pointerOf(place === null || BESIDE.test(place.path) ? '' : place.path)
  const pointer = isWrapped ? `/request${path}` : path
  const within = place === null || value === null ? {} : positionOf(value, wordStart(value, place.at))
  return {
    file,
    ...placeInFile(text, root, pointer, within),
    severity: 'warning',
    cause: CAUSES[verdict] ?? verdict,
    message: `This request would not read what ${printable(other)} wrote. ${says}`,
    fix,
    pointer,
    verdict,
  }
}

interface Native {
  file: string
  card: Card
  sent: SentBody
  leaves: Leaf[]
}

/** A body as its provider gets it; null: it cannot be read as one. */
function nativeOf({ file, text, root }: Body, asked: Asked): Native | null {
  try {
    const wrapped = member(root, 'request')
    const isNeutral = wrapped?.type !== 'object' && isEnvelope(root)
    const request =
      wrapped?.type === 'object'
        ? text.slice(wrapped.start, wrapped.end)
        : isNeutral
          ? prepared(text, root, asked).prefix.text
          : text
    const model = asked.model ?? (request === text ? undefined : stringMember(root, 'model'))
    const provider = asked.provider ?? (request === text ? undefined : stringMember(root, 'provider'))
    const told = { request: new RawJson(request), ...(model === undefined ? {} : { model }) }
    const card = cardFor(provider, [told])
    const sent = bodyOf(told)
    return sent === null ? null : { file, card, sent, leaves: leavesOf(card.id, request) }
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return null
  }
}

function evidenceOf(before: Native, after: Native, { now }: Asked): ByteEvidence | null {
  const facts = (model: string): ModelFacts => factsOf(after.card.id, model, now)
  try {
    return compared(after.card, before.sent, after.sent, facts)
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return null
  }
}

/** Null: nothing that the provider compares differs. */
function causeOf({ changes, routing, placement }: ByteEvidence): Pick<Missed, 'verdict' | 'place'> | null {
  if (placement !== null && ALONE.includes(placement.verdict)) return null
  const all = [...changes, ...routing]
  // Bodies of two models that differ elsewhere too are of two applications.
  if (changes[0]?.verdict === 'model_changed' && all.length > 1) return null
  const [first] = all
  if (first !== undefined) return { verdict: first.verdict, place: first }
  return placement === null ? null : { verdict: placement.verdict, place: null }
}

/** The share of the characters of a body, from 0 to 1, that another one has too. */
function likeness(one: readonly Leaf[], other: readonly Leaf[]): number {
  const values = (leaves: readonly Leaf[]): Leaf[] => leaves.filter(({ sorted }) => sorted === null)
  const left = new Map<string, number>()
  for (const { text } of values(one)) left.set(text, (left.get(text) ?? 0) + 1)
  const places = new Map(one.map((leaf) => [leaf.at, leaf.text]))
  let [common, all] = [0, 0]
  for (const { at, text } of values(other)) {
    all += text.length
    const count = left.get(text) ?? 0
    left.set(text, count - 1)
    common += count > 0 ? text.length : sameEnds(places.get(at) ?? '', text)
  }
  // The same text may stand in other blocks.
  const [text, otherText] = [one, other].map((leaves) =>
    values(leaves)
      .map((leaf) => leaf.text)
      .join(''),
  )
  return all === 0 ? 0 : Math.max(common, sameEnds(text ?? '', otherText ?? '')) / all
}

/** Characters with which both texts begin, and with which both end. */
function sameEnds(one: string, other: string): number {
  const most = Math.min(one.length, other.length)
  let start = 0
  while (start < most && one[start] === other[start]) start += 1
  let end = 0
  while (end < most - start && one.at(-1 - end) === other.at(-1 - end)) end += 1
  return start + end
}
