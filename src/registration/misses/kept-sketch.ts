import type { ByteEvidence } from '../../core/diagnosis/evidence.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import type { Card } from '../../providers/card.ts'
import { plain } from '../../providers/diagnosis/bytes.ts'
import type { SentBody } from '../../providers/diagnosis/bytes.ts'
import { compareSketches } from '../../providers/diagnosis/sketch-compare.ts'
import { packedSketch, readSketch } from '../../providers/diagnosis/sketch-text.ts'
import { sketchOf } from '../../providers/diagnosis/sketch.ts'
import type { Sketch } from '../../providers/diagnosis/sketch.ts'
import { outlineOf } from '../../providers/prefix/outline.ts'

/** What is kept of a body that was erased: hashes under a key of its own, and lengths. */
export interface KeptSketch {
  salt: string
  /** As `packedSketch` writes it. */
  sketch: string
}

/** Longest sketch that is kept. */
const MOST_CHARS = 40_000

type Facts = (model: string) => ModelFacts

/** What is kept of a body; null: it is too long. Throws as `outlineOf` does. */
export function keptSketch(card: Card, body: SentBody, salt: string, facts: Facts): KeptSketch | null {
  const made = sketched(card, body, salt, facts)
  const sketch = made === null ? '' : packedSketch(made)
  return sketch === '' || sketch.length > MOST_CHARS ? null : { salt, sketch }
}

/** Holds a body against what is kept of another one; null: one of them cannot be compared. Throws as `outlineOf` does. */
export function comparedToKept(
  card: Card,
  { salt, sketch }: KeptSketch,
  after: SentBody,
  facts: Facts,
): ByteEvidence | null {
  const [ours, theirs] = [readSketch(sketch), sketched(card, after, salt, facts)]
  return ours === null || theirs === null ? null : compareSketches(ours, theirs)
}

function sketched(card: Card, { request, headers }: SentBody, salt: string, facts: Facts): Sketch | null {
  return sketchOf(card, outlineOf(card, plain(card, request), facts), { salt, headers, once: (_, make) => make() })
}
