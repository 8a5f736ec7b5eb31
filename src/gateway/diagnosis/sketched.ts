import { agentNames } from '../agents.ts'
import { presentedKeys } from '../keys.ts'
import { orderOf } from '../learning/learner.ts'
import type { LearnPorts } from '../learning/learner.ts'
import { namedSession } from '../learning/lesson.ts'
import { forbidsLearning, labelIn } from '../request/own-headers.ts'
import { Recent } from '../learning/recent.ts'
import { SUBSCRIPTION } from '../seen-ends.ts'
import type { Called, Reading } from '../seen-ends.ts'
import { readFailure } from '../../contract/failure.ts'
import { textOf } from '../../providers/diagnosis/kinds.ts'
import { sketchOf } from '../../providers/diagnosis/sketch.ts'
import { packedSketch } from '../../providers/diagnosis/sketch-text.ts'
import { shortHash } from '../../providers/prefix/outline.ts'
import { entryModel } from '../../providers/registry.ts'
import { factsOf } from '../../runtime/facts.ts'
import type { CallFacts } from '../../registration/misses/passed-call.ts'

/** Longest sketch of a call. A longer one is not kept. */
const MOST_SKETCH_CHARS = 40_000
/** Characters of a system prompt by which its family is known. */
const FAMILY_CHARS = 48

/** What was made of a block, which comes again with each call of its conversation. */
const made = new Recent<string>(5_000, 600_000)

/** A call before its answer: what is remembered of it. Null: nothing, as its account or its caller wishes, or because it is too long. */
export async function sketchedCall(
  account: string,
  called: Called,
  url: string,
  isOwnKey: boolean,
  reading: Reading,
  ports: LearnPorts,
): Promise<CallFacts | null> {
  const { headers, credential } = called
  if (forbidsLearning(headers)) return null
  const order = await orderOf(account, ports)
  if (order === null || order.learn === 'off') return null
  try {
    return factsOfCall(called, url, isOwnKey, reading, order.salt, ports, credential === SUBSCRIPTION)
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return null
  }
}

function factsOfCall(
  { headers, text, credential, provider }: Called,
  url: string,
  isOwnKey: boolean,
  { card, outline }: Reading,
  salt: string,
  { clock }: LearnPorts,
  isFlat: boolean,
): CallFacts | null {
  const now = clock.realAt(clock.now())
  const once = (key: string, make: () => string): string => {
    const known = made.get(key, now) ?? make()
    made.set(key, known, now)
    return known
  }
  const sketch = sketchOf(card, outline, { salt, headers: Object.fromEntries(headers), once })
  if (sketch === null) return null
  const packed = packedSketch(sketch)
  if (packed.length > MOST_SKETCH_CHARS) return null
  const hashed = (...parts: string[]): string => shortHash(salt, ...parts)
  const session = agentNames(headers).self ?? namedSession(outline.text, headers)
  const question = sketch.blocks.find(({ kind }) => kind !== 's' && kind !== 'd')
  const system = outline.blocks[sketch.blocks.findIndex(({ kind }) => kind === 's')]
  const beginning = system === undefined ? null : (textOf(system.node) ?? system.tokens)
  const { name } = labelIn(headers)
  const own = isOwnKey ? presentedKeys(headers, new URL(url).search) : []
  const { retentions } = factsOf(card.id, outline.model, clock.now())
  return {
    sketch: packed,
    session:
      session !== null ? hashed('session', session) : question === undefined ? null : hashed('question', question.hash),
    label: name === null ? null : hashed('label', name),
    family:
      beginning === null
        ? null
        : hashed(
            'family',
            beginning
              .slice(0, FAMILY_CHARS)
              .replaceAll(/[\d:.,/-]+/g, '')
              .toLowerCase(),
          ),
    credential: hashed('credential', provider, credential.name, String(credential.generation), ...own),
    model: entryModel(card, outline.model),
    retention: askedIn(
      text,
      retentions.map(({ name: one }) => one),
    ),
    name,
    ...(isFlat ? { flat: true } : {}),
  }
}

/** Members that name a lifetime, in every wire format. Inside of a string their quotes would stand behind a backslash. */
const LIFETIME = /(?<!\\)"(?:ttl|prompt_cache_retention)"\s*:\s*"([\w-]{1,20})"/g

/** The lifetime that a body asks for last, which is that of its deepest entry; null: it names none. */
function askedIn(text: string, names: readonly string[]): string | null {
  return [...text.matchAll(LIFETIME)].map(([, name = '']) => name).findLast((name) => names.includes(name)) ?? null
}
