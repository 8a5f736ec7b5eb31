import { Failure, readFailure } from '../contract/failure.ts'
import { parseWith } from '../contract/issues.ts'
import { RawJson } from '../contract/raw-json.ts'
import { sentRequest } from '../contract/diagnosis.ts'
import type { DiagnoseBody, SentRequest } from '../contract/diagnosis.ts'
import type { ByteEvidence, Case, Diagnosis, Sent } from '../core/diagnosis/evidence.ts'
import { diagnose } from '../core/diagnosis/judge.ts'
import { cacheFactsOf, lostNanos } from '../core/diagnosis/lost.ts'
import { VERDICTS } from '../core/diagnosis/verdicts.ts'
import type { ModelFacts, RetentionOffer } from '../core/model/facts.ts'
import { NANOS_PER_USD } from '../core/model/price.ts'
import { believable } from '../core/model/usage.ts'
import type { Usage } from '../core/model/usage.ts'
import { member, readJson } from '../core/prompt/json-text.ts'
import type { JsonNode } from '../core/prompt/json-text.ts'
import type { Card } from '../providers/card.ts'
import { compareBodies, extending } from '../providers/diagnosis/bytes.ts'
import type { SentBody } from '../providers/diagnosis/bytes.ts'
import { fixOf } from '../providers/diagnosis/fixes.ts'
import { readReported } from '../providers/diagnosis/reported.ts'
import { cardRecognising, cards, dialectOf } from '../providers/registry.ts'
import { factsOf } from '../runtime/facts.ts'
import { comparedToKept } from '../registration/misses/kept-sketch.ts'
import type { KeptSketch } from '../registration/misses/kept-sketch.ts'
import type { RawPath } from '../registration/json-body.ts'
import { cardOf } from '../registration/native.ts'

/** The bodies keep their exact text. */
export const DIAGNOSE_RAW: RawPath = (path) =>
  (path.length === 1 && (path[0] === 'before' || path[0] === 'after')) || (path.length === 2 && path[0] === 'between')

/** Members of what is told of a request. An object with none of them is a provider's body. */
const ENVELOPE = ['request', 'usage', 'started_at', 'diagnostics', 'response_id', 'credential', 'status']

/** Members of a provider's body that hold a prompt. */
const PROMPTS = ['messages', 'input', 'contents', 'instructions', 'system', 'systemInstruction']

/** The answer to "why did it miss?", as the API and the program give it. */
export interface DiagnosisJson {
  verdict: Diagnosis['verdict']
  group: string
  fault: string
  confidence: number
  first_difference: Diagnosis['first']
  lost_tokens: number | null
  cost_usd: number | null
  why: string
  fix: string
  witnesses: Diagnosis['witnesses']
  others: Diagnosis['others']
}

/** Compares two requests and says why the later one missed. Pure but for the facts. Throws `invalid_request` with the field. */
export function diagnoseRequests(body: DiagnoseBody, now: number): DiagnosisJson {
  const [before, after] = [readSent(body.before, 'before'), readSent(body.after, 'after')]
  const between = (body.between ?? []).map((one, index) => readSent(one, `between[${index}]`))
  const card = cardFor(body.provider, [after, before, ...between])
  return diagnosed(card, { before, after, between }, now)
}

/** Holds a request against an earlier one. `key`: the cache key that the earlier one had beside its body. `kept`: what there is in place of that body. */
export function diagnosed(
  card: Card,
  { before, after, between }: { before: SentRequest; after: SentRequest; between: readonly SentRequest[] },
  now: number,
  key: string | null = null,
  kept: KeptSketch | null = null,
): DiagnosisJson {
  const facts = (model: string): ModelFacts => factsOf(card.id, model, now)
  const [ours, theirs] = [bodyOf(before, key), bodyOf(after)]
  const bytes =
    theirs === null
      ? null
      : ours === null
        ? keptEvidence(card, kept, theirs, facts)
        : compared(card, ours, theirs, facts)
  const model = modelOf(card, [before, after], facts)
  const known = facts(model)
  const retention = grantedBy(card, before, known) ?? retentionOf(card, ours, known, facts)
  const sent = (one: SentRequest, samePrefix: boolean | null): Sent => sentOf(card, one, samePrefix, retention)
  const given: Case = {
    before: sent(before, true),
    after: sent(after, null),
    between: samePrefixes(
      card,
      ours,
      between.map((one) => bodyOf(one)),
      facts,
    ).map((same, index) => sent(between[index] ?? {}, same)),
    bytes,
    reported: readReported(after.diagnostics),
    facts: cacheFactsOf(known, retention),
  }
  const found = diagnose(given)
  const lost = {
    tokens: found.lostTokens,
    inputTokens: given.after.usage?.inputTokens ?? null,
    retention: retention?.name ?? null,
    at: given.after.startedAt ?? now,
  }
  return shown(found, lostNanos(lost, known))
}

/** What is told of a request, from an envelope or from a provider's body. Throws `invalid_request`. */
export function readSent({ text }: RawJson, field: string): SentRequest {
  const root = readJson(text, field)
  if (root.type !== 'object') throw new Failure('invalid_request', `${field} must be an object.`, { field })
  const isBody = PROMPTS.some((name) => member(root, name) !== undefined) && member(root, 'request') === undefined
  if (isBody || !ENVELOPE.some((name) => member(root, name) !== undefined))
    return parseWith(sentRequest, { request: new RawJson(text) })
  const values = root.members.flatMap(({ key, value }): [string, unknown][] => [
    [key, key === 'request' ? rawOf(text, value) : JSON.parse(text.slice(value.start, value.end))],
  ])
  return parseWith(sentRequest, Object.fromEntries(values))
}

function rawOf(text: string, node: JsonNode): RawJson | undefined {
  return node.type === 'null' ? undefined : new RawJson(text.slice(node.start, node.end))
}

/** The provider's card for these bodies. A vendor may be named by the id of another of its formats. */
export function cardFor(provider: string | undefined, sent: readonly SentRequest[]): Card {
  const request = sent.find((one) => one.request !== undefined)?.request
  if (provider === undefined) {
    if (request === undefined)
      throw new Failure('invalid_request', 'provider: is missing, and no body shows it.', { field: 'provider' })
    return cardRecognising(readJson(request.text))
  }
  const card = cardOf({ provider, request }, 'provider')
  if (request === undefined) return card
  const root = readJson(request.text)
  if (card.dialect.recognises(root)) return card
  return cards.find(({ id, dialect }) => id.startsWith(`${card.id}-`) && dialect.recognises(root)) ?? card
}

/** The body of a request; null: it was not told. `key`: its cache key where that stands beside the body. */
export function bodyOf({ request, headers = {}, model }: SentRequest, key: string | null = null): SentBody | null {
  if (request === undefined) return null
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
  return {
    request: {
      text: request.text,
      ...(model === undefined ? {} : { model }),
      ...(key === null ? {} : { cache: { mode: 'best_effort', strategy: 'automatic', key } }),
    },
    headers: Object.fromEntries(lower),
  }
}

/** What two bodies show; null: a prompt that the provider stores hides it. */
export function compared(
  card: Card,
  before: SentBody,
  after: SentBody,
  facts: (model: string) => ModelFacts,
): ByteEvidence | null {
  return unlessUnsupported<ByteEvidence | null>('after', () => compareBodies(card, before, after, facts), null)
}

function keptEvidence(
  card: Card,
  kept: KeptSketch | null,
  after: SentBody,
  facts: (model: string) => ModelFacts,
): ByteEvidence | null {
  return kept === null ? null : unlessUnsupported('request', () => comparedToKept(card, kept, after, facts), null)
}

function samePrefixes(
  card: Card,
  before: SentBody | null,
  bodies: readonly (SentBody | null)[],
  facts: (model: string) => ModelFacts,
): (boolean | null)[] {
  if (before === null || bodies.every((one) => one === null)) return bodies.map(() => null)
  return bodies.map(
    unlessUnsupported(
      'before',
      () => {
        const extendsIt = extending(card, before, facts)
        return (one: SentBody | null) =>
          one === null ? null : unlessUnsupported('between', () => extendsIt(one), null)
      },
      () => null,
    ),
  )
}

/** A body that refers to what the provider stores does not hold its prompt: the other witnesses are heard alone. */
function unlessUnsupported<Value>(field: string, read: () => Value, otherwise: Value): Value {
  try {
    return read()
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure?.kind === 'unsupported') return otherwise
    if (failure === null) throw thrown
    throw new Failure('invalid_request', failure.message, {
      ...failure.detail,
      field: failure.detail?.['field'] ?? field,
    })
  }
}

function modelOf(card: Card, sent: readonly SentRequest[], facts: (model: string) => ModelFacts): string {
  for (const one of sent) {
    const body = bodyOf(one)
    if (body === null) continue
    try {
      return dialectOf(card).compared(body.request, facts).model
    } catch (thrown) {
      if (readFailure(thrown) === null) throw thrown
    }
  }
  return sent.find(({ model }) => model !== undefined)?.model ?? ''
}

/** The retention that the usage of a request without a body names, where it is one alone; null: it names none. */
function grantedBy(card: Card, { request, usage }: SentRequest, { retentions }: ModelFacts): RetentionOffer | null {
  if (request !== undefined || usage == null) return null
  const written = dialectOf(card).readUsage(usage)?.cacheWriteByRetention ?? {}
  const names = Object.entries(written).flatMap(([name, tokens]) => (tokens > 0 ? [name] : []))
  return names.length === 1 ? (retentions.find(({ name }) => name === names[0]) ?? null) : null
}

/** The retention that the earlier body asks for; null: not known. */
function retentionOf(
  card: Card,
  before: SentBody | null,
  { retentions }: ModelFacts,
  facts: (model: string) => ModelFacts,
): RetentionOffer | null {
  const fallback = retentions[0] ?? null
  if (before === null) return fallback
  try {
    const { retention } = dialectOf(card).prepare({ ...before.request, whole: true }, facts)
    return retentions.find(({ name }) => name === retention) ?? fallback
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return fallback
  }
}

function sentOf(card: Card, one: SentRequest, samePrefix: boolean | null, retention: RetentionOffer | null): Sent {
  const raw = one.usage ?? null
  const read = raw === null ? null : dialectOf(card).readUsage(raw)
  const usage = read === null ? null : believable(read)
  const upstream = raw?.['provider']
  return {
    startedAt: one.started_at ?? null,
    firstTokenAt: one.first_token_at ?? null,
    // An object that is no usage of this format has no counts that can be read.
    usage: raw !== null && read === null ? NOTHING : usage,
    impossible: read !== null && usage !== read,
    unsaid: raw !== null && !/cach/i.test(JSON.stringify(raw)),
    status: one.status ?? null,
    credential: one.credential ?? null,
    upstream: typeof upstream === 'string' ? upstream : null,
    responseId: one.response_id ?? null,
    askedTtlMs: retention?.ttlMs ?? null,
    samePrefix,
  }
}

const NOTHING: Usage = {
  inputTokens: null,
  uncachedTokens: null,
  cacheReadTokens: null,
  cacheWriteTokens: null,
  cacheWriteByRetention: {},
  outputTokens: null,
  reasoningTokens: null,
}

function shown(found: Diagnosis, nanos: number | null): DiagnosisJson {
  const { verdict, first, confidence, lostTokens } = found
  const { group, fault, says } = VERDICTS[verdict]
  const isUnknown = verdict === 'unknown'
  const place = first === null || first.path === '' ? '' : ` First difference at ${first.path}.`
  return {
    verdict,
    group,
    fault,
    confidence,
    first_difference: first,
    // What is not known to be a miss has no price.
    lost_tokens: isUnknown ? null : lostTokens,
    cost_usd: isUnknown || nanos === null ? null : nanos / NANOS_PER_USD,
    why: `${says}${place}`,
    fix: fixOf(verdict),
    witnesses: found.witnesses,
    others: found.others,
  }
}
