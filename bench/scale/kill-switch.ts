import { clockFrom } from '../../src/runtime/clock.ts'
import { anthropicBody } from '../../test/support/registration.ts'
import { quantile, say } from '../figure.ts'
import type { Figure } from '../figure.ts'
import { LabCalls, markOf, SENDERS } from './lab-calls.ts'
import { startScale } from './running.ts'
import type { Running } from './running.ts'
import { Callers, warmOf } from './senders.ts'

const AT_ONCE = 200
/** Names of accounts that are added in one request. */
const NAMES_AT_ONCE = 2_000
/** Accounts up to which a faster clock brings the keep-alives within half a minute: more would keep the machine busy all the time. */
const FEW = 100
/** Accounts with work at most: more keep-alives at once than one machine sends would measure its queue. */
const WORKING = 600
const FASTER = 12
/** For more accounts: keep-alives come after a minute and a half, and then a few of them each second. */
const MANY_FASTER = 3
/** Time before the switch is thrown in which calls are counted, and time for which its effect is watched at least. */
const BEFORE_MS = 10_000
const WATCHED_MS = 10_000
const HELD_AFTER_MS = 1_000
const PATIENCE_MS = 900_000

interface Shown {
  accounts: number
  pending: number
}

/** What was seen of the switch. Instants are the machine's. */
interface Thrown {
  at: number
  answeredMs: number
  due: number
  /** Until nobody was pending. */
  toldMs: number
  /** Different numbers of pending accounts in `GET /health`. */
  states: number
  healthMs: number[]
  againMs: number
}

/**
 * Throws the kill switch while some accounts have keep-alives due, as many first writes in the queue, and callers of one more account warm, preload, talk to a bot and call their provider. What was sent afterwards stands in the lab's transcript.
 */
export async function killSwitchBench({ accounts = 10_000 }: { accounts?: number }): Promise<{
  figures: Figure[]
  notes: string[]
}> {
  const now = Date.now()
  const clock = {
    CLOCK_REAL_ANCHOR_AT: String(now),
    CLOCK_VIRTUAL_ANCHOR_AT: String(now),
    CLOCK_RATE: String(accounts <= FEW ? FASTER : MANY_FASTER),
  }
  const running = await startScale(clock)
  const callers = new Callers(running)
  const calls = new LabCalls(running, (at) => clockFrom(clock).realAt(at))
  try {
    const working = Math.min(accounts, WORKING)
    const half = Math.ceil(working / 2)
    await inPages(0, working, 'creating accounts', (page) => running.call(`/_bench/accounts?${page}`))
    await inPages(
      working,
      accounts,
      'adding idle accounts',
      (page) => running.call(`/_bench/accounts?${page}&idle=true`),
      NAMES_AT_ONCE,
    )
    calls.start()
    const kept = warmOf(anthropicBody(markOf('kept')))
    await inPages(0, half, 'registering prefixes that real requests wrote', (page) =>
      running.call(`/_bench/warm?${page}`, { body: kept }),
    )
    say('kill-switch: waiting for keep-alives …')
    await until('keep-alives', async () => calls.count('kept') > 0)
    await callers.start()
    const queued = warmOf(anthropicBody(markOf('queued')))
    const queueing = inPages(half, working, 'queueing first writes', (page) =>
      running.call(`/_bench/warm?${page}&queued=true`, { body: queued }),
    )
    const sinceAt = Date.now()
    // A crew sends when its turn comes, which may be later.
    await until('calls', async () => SENDERS.every((sender) => sender === 'crew' || calls.count(sender) > 0))
    await until('ten seconds of them', async () => Date.now() - sinceAt > BEFORE_MS)
    const thrown = await throwIt(running, calls)
    await callers.stop()
    await queueing
    await calls.stop()
    return { figures: figuresOf(thrown, calls, callers, sinceAt), notes: notesOf(accounts, working, clock.CLOCK_RATE) }
  } finally {
    await Promise.allSettled([callers.stop(), calls.stop()])
    await running.stop()
  }
}

async function throwIt(running: Running, calls: LabCalls): Promise<Thrown> {
  say('kill-switch: thrown …')
  const askedAt = Date.now()
  const { pending: due } = await turn(running, true)
  const at = Date.now()
  const seen = new Set<number>()
  const healthMs: number[] = []
  let toldMs: number | null = null
  await until('the end of the roll-out', async () => {
    const from = Date.now()
    const { work } = JSON.parse(await running.call('/health')) as { work: { deployment_state: { pending: number } } }
    healthMs.push(Date.now() - from)
    seen.add(work.deployment_state.pending)
    if (toldMs === null && (await pendingNow(running)) === 0) toldMs = Date.now() - at
    return toldMs !== null && Date.now() - at > WATCHED_MS
  })
  say('kill-switch: off again …')
  await turn(running, false)
  const offAt = Date.now()
  await until('calls of ours again', async () => calls.ours(offAt).length > 0)
  const againMs = Math.min(...calls.ours(offAt).map((call) => call.at)) - offAt
  return { at, answeredMs: at - askedAt, due, toldMs: toldMs ?? Number.NaN, states: seen.size, healthMs, againMs }
}

async function turn(running: Running, on: boolean): Promise<Shown> {
  const text = await running.call('/kill-switch', { method: 'POST', body: JSON.stringify({ on }), admin: true })
  return JSON.parse(text) as Shown
}

async function pendingNow(running: Running): Promise<number> {
  return (JSON.parse(await running.call('/kill-switch', { admin: true })) as Shown).pending
}

function figuresOf(thrown: Thrown, calls: LabCalls, callers: Callers, sinceAt: number): Figure[] {
  const { at, answeredMs, due, toldMs, states, healthMs, againMs } = thrown
  const offAt = at + Math.max(toldMs, WATCHED_MS)
  const during = calls.ours(at).filter((call) => call.at < offAt)
  const late = during.filter((call) => call.at > at + HELD_AFTER_MS)
  const before = calls.ours(sinceAt).filter((call) => call.at <= at)
  const own = callers.answers.filter((one) => one.sender === 'own' && one.at > at && one.at < offAt)
  const how = "the lab's transcript"
  return [
    {
      name: 'calls of ours a second before',
      value: (before.length * 1_000) / (at - sinceAt),
      unit: '/s',
      how: `${how}, in the seconds before the switch was thrown: ${SENDERS.filter((one) => one !== 'own').join(', ')}`,
    },
    {
      name: 'calls of ours after one second',
      value: late.length,
      unit: '',
      aim: '0',
      how: `${how}, until the switch was off again: after the roll-out, and after ${WATCHED_MS / 1_000} s at least`,
    },
    {
      name: 'last call of ours',
      value: Math.max(0, ...during.map((call) => call.at - at)),
      unit: 'ms after the answer to POST /kill-switch',
      aim: '≤ 1,000',
      how: `${how}; 0: none came after it`,
    },
    { name: 'answer', value: answeredMs, unit: 'ms', how: 'POST /kill-switch, amid the traffic' },
    {
      name: "callers' own requests meanwhile",
      value: own.length,
      unit: '',
      how: 'POST /via/anthropic/v1/messages while the switch was on, one after the other',
    },
    {
      name: 'of these refused',
      value: own.filter(({ status }) => status !== 200).length,
      unit: '',
      aim: '0',
      how: 'answers other than 200',
    },
    { name: 'accounts to be told', value: due, unit: '', how: '`pending` in the answer to POST /kill-switch' },
    { name: 'all told', value: toldMs, unit: 'ms', how: 'until GET /kill-switch answered that nothing is pending' },
    { name: 'told, each account', value: toldMs / Math.max(1, due), unit: 'ms', how: 'the same, over the accounts' },
    {
      name: 'states of it in GET /health',
      value: states,
      unit: '',
      how: 'different values of `work.deployment_state.pending`, which is a second old at most',
    },
    { name: 'GET /health meanwhile, p99', value: quantile(healthMs, 0.99), unit: 'ms', how: 'asked again and again' },
    {
      name: 'first call of ours when off again',
      value: againMs,
      unit: 'ms',
      how: `${how}, from the answer to POST /kill-switch that turned it off`,
    },
  ]
}

function notesOf(accounts: number, working: number, rate: string): string[] {
  return [
    `Of ${accounts.toLocaleString('en-US')} accounts ${working} had work: a prefix whose keep-alives came due, or a first write in the queue. The others were names in the Directory, which the roll-out woke for the first time.`,
    `The clock ran at ${rate} ×; all figures are in the machine's time, which the transcript and the bench share.`,
    'Callers, Worker and lab share the cores.',
  ]
}

async function inPages(
  from: number,
  to: number,
  what: string,
  page: (query: string) => Promise<unknown>,
  size = AT_ONCE,
): Promise<void> {
  for (let at = from; at < to; at += size) {
    say(`kill-switch: ${what}, from ${at} of ${to} …`)
    await page(`from=${at}&until=${Math.min(to, at + size)}`)
  }
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endAt = Date.now() + PATIENCE_MS
  while (!(await isSo())) {
    if (Date.now() > endAt) throw new Error(`${what}: not within ${PATIENCE_MS / 60_000} minutes`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
