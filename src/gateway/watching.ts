import { modelName } from '../core/prefix/served-model.ts'
import type { Served } from '../core/prefix/served-model.ts'
import type { CacheRequest } from '../providers/dialect.ts'
import { isServedByOther } from '../providers/diagnosis/served-model.ts'
import type { Clock } from '../runtime/clock.ts'
import { factsOf } from '../runtime/facts.ts'
import { newId } from '../runtime/ids.ts'
import { Ends } from '../usage/ends.ts'
import { framingOf, modelIn, usageIn } from '../usage/find.ts'
import { countsOf } from './bodies/counts.ts'
import { editedBytes } from './bodies/editing.ts'
import { retentionAsked } from './bodies/sent.ts'
import { bodyOf, roomForOne, UNREAD } from './bodies/held.ts'
import { decoding } from './decoding.ts'
import { agentsOf } from './agents.ts'
import { FirstToken } from './barrier/first-token.ts'
import type { Outcome } from './barrier/barrier.ts'
import { retentionsAt } from './message/retentions.ts'
import type { ObservationMessage } from './observation.ts'
import { knownPrefix, knowsPrefixesOf, planned, registered } from './learning/learner.ts'
import type { LearnPorts, Plan } from './learning/learner.ts'
import { asksForDiagnosis } from './request/own-headers.ts'
import { readCall } from './seen-ends.ts'
import type { Body, Called, Reading } from './seen-ends.ts'
import type { Onward } from './passing.ts'
import { lifetimeOf } from './lifetime.ts'
import { inTime, maySoonJudge } from './diagnosis/in-time.ts'
import type { Timely, TimelyEnd } from './diagnosis/in-time.ts'
import { answerIdIn, toldBy } from './diagnosis/told-by-answer.ts'
import type { ToldByAnswer } from './diagnosis/told-by-answer.ts'
import { sketchedCall } from './diagnosis/sketched.ts'
import type { CallFacts } from '../registration/misses/passed-call.ts'
import { ObservationWindow, WINDOW_MS } from './window.ts'
import { warmthOf } from './warmth/standings.ts'
import type { StandingPorts, ToldWarmth } from './warmth/standings.ts'

/** Real time that the reading of a body waits for the first byte of the answer, so that it is not in its way. */
const READ_AFTER_MS = 50

/** How providers tell a failure inside of a stream that began well. */
const FAILED = /^event: *error|"type" *: *"error"|"error" *: *\{/m

let window: ObservationWindow | null = null

/** What watching needs of the rest of the product. */
export interface WatchPorts extends LearnPorts, StandingPorts {
  waitUntil: (work: Promise<unknown>) => void
  /** Sends a message to the queue of observations. */
  report: (message: ObservationMessage) => Promise<unknown>
}

/** A call whose answer is watched. `sent`: its body. */
export interface Watching {
  sent: Uint8Array | ReadableStream<Uint8Array>
  /** What was changed of it; absent: nothing. */
  edited?: string
  watch: Onward['watch']
  /** What its body shows, once it is read. Null: it is no body of that provider. */
  reading: Promise<Reading | null>
  /** Resolves with the first token of its answer, or when there will be none. */
  outcome: Promise<Outcome>
  /** The call is sent now, and not when it came. */
  sentNow: () => void
  /** The call was not answered. */
  drop: () => void
}

/**
 * Reads a body of at most `MOST_BODY_BYTES`, and watches the answer for its usage. What both show is added to the isolate's window once the answer
 * has ended. The body is let go as soon as its hashes are made: after the first byte of the answer, or 50 ms. One of unknown length goes on while it
 * comes.
 */
export async function watching(
  request: Request,
  account: string,
  { isOwnKey, ...call }: Omit<Called, 'text' | 'headers'> & { isOwnKey: boolean },
  wish: CacheRequest | null,
  ports: WatchPorts,
  isReadAtOnce: boolean,
): Promise<Watching> {
  const { clock } = ports
  let startedAt = clock.now()
  const room = roomForOne()
  const upload = bodyOf(request, room)
  const called = { ...call, headers: request.headers }
  const asks = asksForDiagnosis(request.headers)
  const wishes = { cache: wish, diagnose: asks ? { url: request.url, isOwnKey } : null }
  const changing =
    (wish === null && !asks) || upload.body !== undefined
      ? null
      : upload.whole.then((bytes) => editedBytes(account, called, bytes, wishes, ports))
  let whole: Promise<ArrayBuffer | Uint8Array | null> | null =
    changing?.then(({ text }) => (text === null ? upload.whole : new TextEncoder().encode(text))) ?? upload.whole
  const first = Promise.withResolvers<void>()
  const end = Promise.withResolvers<Ended | null>()
  const outcome = Promise.withResolvers<Outcome>()
  const readBody = Promise.withResolvers<Reading | null>()
  const drop = (): void => {
    outcome.resolve('failed')
    first.resolve()
    end.resolve(null)
  }
  let prefix: string | null = null
  let warmth: () => ToldWarmth | null = () => null
  let timely: Timely | null = null
  const read = async (): Promise<{
    body: Body
    plan: Plan
    asked: string | undefined
    servedBy: (name: string | null) => Served | null
    call: CallFacts | null
  } | null> => {
    try {
      if ((await whole?.catch(() => null)) === null) return null
      let timer: ReturnType<typeof setTimeout> | undefined
      // A body whose prefix may be known here is read at once, so that the answer can name it.
      const isKnown = knowsPrefixesOf(account, ports) || maySoonJudge(account, request.headers, clock)
      const afterMs = isReadAtOnce || isKnown ? 0 : READ_AFTER_MS
      await Promise.race([first.promise, new Promise<void>((resolve) => (timer = setTimeout(resolve, afterMs)))])
      clearTimeout(timer)
      const sent = { ...called, text: new TextDecoder().decode((await whole) ?? undefined) }
      // An answer may go on for minutes, and must not keep the body so long.
      whole = null
      const reading = readCall(sent, ports.vars, startedAt)
      readBody.resolve(reading)
      if (reading === null) return null
      const { body } = reading
      warmth = warmthOf(account, reading, () => startedAt, ports)
      prefix = knownPrefix(
        account,
        body.ends.map(({ entry }) => entry),
        ports,
      )
      const { card, outline } = reading
      const { model } = outline
      const servedBy = (name: string | null): Served | null =>
        name === null ? null : isServedByOther(card, model, name, startedAt) ? name : true
      const asked = retentionAsked(wish, factsOf(card.id, model, startedAt).retentions)
      const plan = await planned(account, sent, isOwnKey, reading, ports)
      const facts = await sketchedCall(account, sent, request.url, isOwnKey, reading, ports)
      timely = inTime({ account, headers: request.headers, reading, facts, startedAt: () => startedAt }, clock)
      return { body, plan, servedBy, asked, call: facts }
    } finally {
      readBody.resolve(null) // where the reading threw
      room.release()
    }
  }
  const work = async (): Promise<void> => {
    const seen = await read()
    const change = await changing
    const ended = await end.promise
    timely?.end(ended)
    if (seen === null || ended === null) return
    const { usage, ttftMs } = ended
    const by = seen.servedBy(ended.model)
    const served = by === null ? {} : { served: by }
    const told =
      seen.call === null ? {} : { call: { ...seen.call, ...ended.told, doneMs: Math.max(0, clock.now() - startedAt) } }
    const { lesson, register } = seen.plan
    const names = agentsOf(request, { ...call, account, isOwnKey })
    const agents = names === undefined ? {} : { agents: { ...names, startedAt, endedAt: clock.now() } }
    const asked = seen.asked === undefined ? {} : { asked: seen.asked }
    const own = seen.body.ends.find(({ entry }) => entry === register?.registration.lookups?.[0])
    const arrival = { startedAt, usage, ttftMs, bytes: 'same' as const, ...served, ...retentionsAt(own, seen.asked) }
    if (register !== null && ended.isWhole && (await registered(account, { ...register, arrival, ...agents }, ports))) {
      const { provider, ends } = seen.body
      if (seen.call !== null)
        await added({ account, provider, startedAt, usage, ttftMs, ends, booked: true, ...told }, ports)
      return
    }
    const again = Number(request.headers.get('x-stainless-retry-count') ?? '0') > 0
    await added(
      {
        account,
        startedAt,
        ...seen.body,
        usage,
        ttftMs,
        ...(again ? { again: true as const } : {}),
        ...lifetimeOf(request.headers),
        ...agents,
        ...served,
        ...asked,
        ...(change?.edit === undefined ? {} : { edit: change.edit }),
        ...told,
        ...(lesson === null || !ended.isWhole ? {} : { lesson }),
      },
      ports,
    )
  }
  ports.waitUntil(work())
  const change = await changing
  return {
    sent: upload.body ?? new Uint8Array((await whole) ?? []),
    ...(change?.text == null ? {} : { edited: change.why }),
    drop,
    reading: readBody.promise,
    outcome: outcome.promise,
    sentNow: () => {
      startedAt = clock.now()
    },
    watch: (answer) => {
      const missing = upload.noCopy()
      if (missing !== null) {
        drop()
        return { watcher: null, why: UNREAD[missing] }
      }
      const telling = { clock, startedAt, first: first.resolve, end: end.resolve, begun: outcome.resolve }
      const told = watched(answer, call.provider, telling)
      if (told.watcher === null) {
        outcome.resolve(answer.ok ? 'readable' : 'failed')
        drop()
      } else if (change !== null) told.why = change.why
      else if (asks) told.why = 'a call to a model; diagnostics were not asked for: its body came in pieces'
      if (answer.status === 400) change?.refused?.()
      // An answer that is refused shows nothing of the entry.
      const known = answer.ok ? { ...warmth(), ...(timely === null ? {} : { timely }) } : null
      return { ...told, ...(prefix === null ? {} : { prefix }), ...known }
    },
  }
}

async function added(seen: Parameters<ObservationWindow['add']>[0], { clock, report }: WatchPorts): Promise<void> {
  window ??= new ObservationWindow(newId('iso').slice(4))
  const { full, opened } = window.add(seen, clock.now(), clock.realAt(clock.now()))
  if (full !== null) await report(full)
  if (opened === null) return
  // Isolates have no timers outside of a request: the one that opens a window keeps it.
  await new Promise((resolve) => setTimeout(resolve, WINDOW_MS))
  const message = window.close(opened, clock.now())
  if (message !== null) await report(message)
}

interface Ended extends TimelyEnd {
  /** The model that it names. */
  model: string | null
  /** What the answer says beside its counts. */
  told: ToldByAnswer
}

interface Told {
  clock: Clock
  startedAt: number
  first: () => void
  end: (ended: Ended | null) => void
  /** Its first token is here, or will never be. */
  begun: (outcome: Outcome) => void
}

function watched(
  answer: Response,
  provider: string,
  { clock, startedAt, first, end, begun }: Told,
): ReturnType<Onward['watch']> {
  const framing = framingOf(answer.headers.get('content-type') ?? '')
  if (!answer.ok) return { watcher: null, why: 'the provider refused it' }
  if (framing === null || answer.body === null) return { watcher: null, why: 'the answer holds no usage' }
  const ends = new Ends()
  const firstToken = new FirstToken(framing)
  const decoder = decoding(answer.headers.get('content-encoding'), (piece) => {
    ends.add(piece)
    if (firstToken.add(piece)) begun('readable')
  })
  if (decoder === null) return { watcher: null, why: 'the encoding of the answer is not known' }
  let firstAt: number | null = null
  return {
    why: 'a call to a model',
    watcher: {
      piece: (bytes) => {
        firstAt ??= clock.now()
        first()
        decoder.add(bytes)
      },
      ended: (left) => {
        first()
        const ttftMs = framing === 'json' || firstAt === null ? null : Math.max(0, firstAt - startedAt)
        const told = (): void => {
          const text = ends.text()
          const raw = usageIn(text, framing)
          const { usage, isPossible } = countsOf(provider, raw, answer.headers)
          const isWhole = usage.inputTokens !== null || (!left && !FAILED.test(text.tail ?? text.head))
          begun(isWhole ? 'readable' : 'failed')
          // What a stream that was left had written by then is no count of its output.
          end({
            model: modelName(modelIn(text, framing)),
            usage: left ? { ...usage, outputTokens: null, reasoningTokens: null } : usage,
            ttftMs,
            isWhole,
            told: toldBy(text, framing, raw, isPossible),
            id: answerIdIn(text),
          })
        }
        void decoder.end().then(told, told)
      },
    },
  }
}
