import { readFailure } from '../contract/failure.ts'
import { RawJson } from '../contract/raw-json.ts'
import { VERDICTS } from '../core/diagnosis/verdicts.ts'
import type { Verdict } from '../core/diagnosis/verdicts.ts'
import type { Difference } from '../core/diagnosis/evidence.ts'
import type { ModelFacts } from '../core/model/facts.ts'
import { clockFrom } from '../runtime/clock.ts'
import { factsOf } from '../runtime/facts.ts'
import { unextended } from '../providers/diagnosis/extension.ts'
import { bodyOf, cardFor, compared, readSent } from './diagnose.ts'

/** What `assertCacheStable` is told beside the requests. */
export interface StableOptions {
  /** The provider. Absent: the bodies show it. */
  provider?: string
  /** The model, where the bodies do not name it, as at Gemini and Bedrock. */
  model?: string
  /**
   * `conversation`: each request begins with all of the one before. `prefix`: the requests share their prefix alone, and ask different
   * questions behind it. Default: `conversation`.
   */
  of?: 'conversation' | 'prefix'
  /** Verdicts that are no failure, such as `marker_missing` where the provider's SDK sets the markers. */
  allow?: readonly Verdict[]
}

/** Thrown by `assertCacheStable`. */
export class CacheUnstableError extends Error {
  override readonly name = 'CacheUnstableError'
  readonly verdict: Verdict
  /** Index of the later of the two requests. */
  readonly index: number
  /** Null: the requests differ in no single place. */
  readonly firstDifference: Difference | null
  /** What to do. */
  readonly fix: string

  constructor(verdict: Verdict, index: number, firstDifference: Difference | null) {
    const { says, fix } = VERDICTS[verdict]
    const { path = '', at = 0, before = '', after = '' } = firstDifference ?? {}
    const place =
      firstDifference === null
        ? ''
        : `\n  ${path === '' ? 'the body' : path}${at > 0 ? ` at character ${at}` : ''}\n  - ${quoted(before)}\n  + ${quoted(after)}`
    super(
      `requests[${index}] would not read the cache of requests[${index - 1}]: ${verdict}. ${says}${place}\n  Fix: ${fix}`,
    )
    this.verdict = verdict
    this.index = index
    this.firstDifference = firstDifference === null ? null : { path, at, before, after }
    this.fix = fix
  }
}

/**
 * Fails when a request would not read the cache that the one before it left, as their provider compares them. For tests of an
 * application: record the bodies that it sends in a conversation, and give them in their order. Sends nothing.
 *
 * A request is a provider's body, as a value or as the JSON text that was sent, or `{ "request": …, "headers": … }`. A text is the
 * better witness: the order of its members counts at some providers.
 *
 * @throws CacheUnstableError with the verdict, for the first such request.
 * @throws TypeError for less than two requests, and where a request cannot be compared.
 */
export function assertCacheStable(requests: readonly unknown[], options: StableOptions = {}): void {
  try {
    check(requests, options)
  } catch (thrown) {
    const failure = readFailure(thrown)
    throw failure === null ? thrown : new TypeError(`assertCacheStable: ${failure.message}`)
  }
}

function check(requests: readonly unknown[], options: StableOptions): void {
  if (requests.length < 2) throw new TypeError('assertCacheStable needs two requests or more, in the order of sending.')
  const sent = requests.map((one, index) => {
    const told = readSent(textOf(one, index), `requests[${index}]`)
    return told.model === undefined && options.model !== undefined ? { ...told, model: options.model } : told
  })
  const now = clockFrom({}).now()
  for (const [at, later] of sent.slice(1).entries()) {
    const earlier = sent[at] ?? later
    const index = at + 1
    const card = cardFor(options.provider, [later, earlier])
    const facts = (model: string): ModelFacts => factsOf(card.id, model, now)
    const [before, after] = [bodyOf(earlier), bodyOf(later)]
    if (before === null || after === null) throw new TypeError(`requests[${before === null ? at : index}] has no body.`)
    const bytes = compared(card, before, after, facts)
    if (bytes === null) {
      throw new TypeError(
        `requests[${at}] or [${index}] refers to a prompt that the provider stores: nothing compares them.`,
      )
    }
    const rewritten = options.of === 'prefix' ? null : unextended(card, before, after, facts)
    const causes: { verdict: Verdict; place: Difference | null }[] = [
      ...[...bytes.changes, ...bytes.routing].map((change) => ({ verdict: change.verdict, place: change })),
      ...(bytes.placement === null ? [] : [{ verdict: bytes.placement.verdict, place: null }]),
      ...(rewritten === null ? [] : [{ verdict: 'history_rewritten' as const, place: rewritten }]),
    ]
    const cause = causes.find(({ verdict }) => options.allow?.includes(verdict) !== true)
    if (cause !== undefined) throw new CacheUnstableError(cause.verdict, index, cause.place)
  }
}

function textOf(request: unknown, index: number): RawJson {
  const text = typeof request === 'string' ? request : JSON.stringify(request)
  if (text === undefined) throw new TypeError(`requests[${index}] must be a provider's body, or its JSON text.`)
  return new RawJson(text)
}

function quoted(text: string): string {
  return text === '' ? '(nothing)' : JSON.stringify(text)
}
