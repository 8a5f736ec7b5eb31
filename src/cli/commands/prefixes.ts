import { CommandError, EXIT } from '../remote/exit.ts'
import type { Json } from '../remote/api.ts'
import { pairsOf } from '../remote/table.ts'
import { at, nameOf, text, usd } from '../remote/words.ts'
import { given, number, withMembers } from './command.ts'
import type { Call, Spec } from './command.ts'
import { columnsAt, described, historyLine, prefixPath, serverNow } from './prefix-words.ts'

const WARM = new Set(['warm', 'expiring'])

async function shown(call: Call, one: Json): Promise<number> {
  const now = call.json ? 0 : await serverNow(call)
  call.show(one, () => described(one, now))
  return EXIT.done
}

/** What a warm answered, once its job has ended. */
async function settled(call: Call, answer: Json): Promise<Json> {
  const job = at(answer, 'job', 'id')
  if (typeof job !== 'string' || call.has('background')) return answer
  for (;;) {
    const now = await call.api.get(`/jobs/${job}?wait=30s`)
    if (!['queued', 'running'].includes(text(now['status']))) return { ...answer, job: now }
    call.shell.tell(`${text(now['status'])} …\n`)
  }
}

function warmed(call: Call, answer: Json): number {
  const receipt = at(answer, 'receipt') ?? at(answer, 'job', 'receipt')
  call.show(answer, () => {
    const name = text(answer['name'] ?? answer['id'])
    if (receipt === undefined || receipt === null) {
      const failure = at(answer, 'job', 'failure', 'message')
      return `${name}: ${failure === undefined ? text(at(answer, 'plan', 'why')) : text(failure)}\n`
    }
    const what = `${text(at(receipt, 'kind'))}: ${text(at(receipt, 'why'))}`
    return `${name}: ${text(at(answer, 'warmth', 'state'))}. ${what}, ${usd(at(receipt, 'cost_usd'))}\n`
  })
  if (call.has('dryRun') || call.has('background')) return EXIT.done
  return WARM.has(text(at(answer, 'warmth', 'state'))) || at(receipt, 'kind') === 'written' ? EXIT.done : EXIT.finding
}

async function warm(call: Call): Promise<number> {
  const body = await call.file(call.arg(0))
  const { flags } = call
  const plan = call.flag('plan')
  const members = given({
    name: call.flag('name'),
    keep_warm: plan === undefined ? undefined : { plan: planFlag(plan) },
    background: flags['background'],
    dry_run: flags['dryRun'],
  })
  const provider = call.flag('provider')
  // A provider's own body goes under `request`, with every byte as it is.
  const whole =
    provider === undefined
      ? withMembers(body, members)
      : `${JSON.stringify({ ...members, provider }).slice(0, -1)},"request":${body.trim()}}`
  return warmed(call, await settled(call, await call.api.ask('POST', '/warm', { text: whole })))
}

function planFlag(plan: string): unknown {
  return /^\d+$/.test(plan) ? { probes: Number(plan) } : plan
}

async function set(call: Call): Promise<number> {
  const plan = call.flag('plan')
  const until = call.flag('until')
  const keepWarm = given({
    plan: plan === undefined ? undefined : planFlag(plan),
    budget_usd_per_day: number(call.flag('budget'), 'budget'),
    until: until === 'none' ? null : until,
    idle_timeout: call.flag('idleTimeout'),
    latency_value_usd: number(call.flag('latencyValue'), 'latency-value'),
    ttft_target_ms: number(call.flag('ttftTarget'), 'ttft-target'),
  })
  const change = given({
    name: call.flag('name'),
    keep_warm: Object.keys(keepWarm).length === 0 ? undefined : keepWarm,
  })
  return shown(call, await call.api.ask('PATCH', prefixPath(call.arg(0)), { body: change }))
}

async function pause(call: Call): Promise<number> {
  return shown(call, await call.api.ask('PATCH', prefixPath(call.arg(0)), { body: { keep_warm: { plan: 'off' } } }))
}

async function resume(call: Call): Promise<number> {
  const path = prefixPath(call.arg(0))
  const plan = planFlag(call.flag('plan') ?? 'auto')
  const one = await call.api.ask('PATCH', path, { body: { keep_warm: { plan } } })
  if (call.has('warm'))
    return warmed(call, await settled(call, await call.api.ask('POST', `${path}/warm`, { body: {} })))
  return shown(call, one)
}

async function remove(call: Call): Promise<number> {
  const name = call.arg(0)
  const one = await call.api.get(prefixPath(name))
  if (!(await call.sure(`Forget ${nameOf(one)}, with its history?`))) return EXIT.finding
  const answer = await call.api.ask('DELETE', prefixPath(name))
  call.show(answer, () => `${nameOf(one)} is forgotten.\n`)
  return EXIT.done
}

async function ls(call: Call): Promise<number> {
  const query = new URLSearchParams(
    given({
      state: call.flag('state'),
      provider: call.flag('provider'),
      name: call.flag('name'),
      ...(call.has('stopped') ? { stopped: 'true' } : {}),
      ...(call.has('drifted') ? { drifted: 'true' } : {}),
      ...(call.has('alarmed') ? { alarmed: 'true' } : {}),
    }) as Record<string, string>,
  )
  const path = `/prefixes?${query}${query.size === 0 ? '' : '&'}limit=200`
  const all = await call.api.list(path, number(call.flag('limit'), 'limit'))
  const now = call.json ? 0 : await serverNow(call)
  call.showTable(columnsAt(now), all, 'No prefix matches. Register one: pilotlight warm FILE.')
  return EXIT.done
}

async function history(call: Call): Promise<number> {
  const rows = await call.api.list(`${prefixPath(call.arg(0))}/history`)
  const most = number(call.flag('limit'), 'limit') ?? Number.POSITIVE_INFINITY
  const last = rows.slice(-most)
  call.show({ data: last, next_cursor: null }, () => last.map((row) => `${historyLine(row)}\n`).join(''))
  return EXIT.done
}

async function request(call: Call): Promise<number> {
  const answer = await call.api.get(`${prefixPath(call.arg(0))}/request`)
  call.show(answer, () => `${text(answer['body'])}\n`)
  return EXIT.done
}

async function preview(call: Call): Promise<number> {
  const plan = planFlag(call.flag('plan') ?? 'auto')
  const answer = await call.api.ask('POST', `${prefixPath(call.arg(0))}/preview`, { body: { keep_warm: { plan } } })
  call.show(answer, () => pairsOf(Object.entries(answer).map(([name, value]) => [name, text(value)] as const)))
  return EXIT.done
}

async function announce(call: Call): Promise<number> {
  const expected = number(call.flag('requests'), 'requests')
  const inMs = number(call.flag('inMinutes'), 'in-minutes')
  const when = inMs === undefined ? call.flag('at') : new Date((await serverNow(call)) + inMs * 60_000).toISOString()
  if (when === undefined) throw new CommandError(EXIT.usage, 'Say when: --in-minutes 30, or --at 2026-12-01T08:00:00Z.')
  const body = given({ at: when, expected_requests: expected })
  return shown(call, await call.api.ask('POST', `${prefixPath(call.arg(0))}/announce`, { body }))
}

async function signal(call: Call): Promise<number> {
  const body = given({ kind: call.arg(1), until: call.flag('until') })
  return shown(call, await call.api.ask('POST', `${prefixPath(call.arg(0))}/signals`, { body }))
}

const PLAN = ['--plan <plan>', 'auto, always, off, or a number of probes'] as const

export const prefixCommands: readonly Spec[] = [
  {
    usage: 'warm <file>',
    about: 'registers a prefix and warms it; the file is a body of POST /warm, or - for standard input',
    example: 'pilotlight warm body.json --provider anthropic --name support --plan auto',
    options: [
      ['--provider <id>', "the file is this provider's own request body"],
      ['--name <label>', 'label'],
      PLAN,
      ['--background', 'does not wait'],
      ['--dry-run', 'shows the plan and its price, and sends nothing'],
    ],
    run: warm,
  },
  {
    usage: 'ls',
    about: 'lists prefixes, newest first',
    example: 'pilotlight ls --state cold',
    options: [
      ['--state <state>', 'warm, expiring, cold, uncacheable or unknown'],
      ['--provider <id>', 'of this provider'],
      ['--name <label>', 'versions of this name'],
      ['--stopped', 'whose plan has stopped'],
      ['--drifted', 'that real requests no longer begin with'],
      ['--alarmed', 'with an alarm'],
      ['--limit <count>', 'at most so many'],
    ],
    run: ls,
  },
  {
    usage: 'show <name>',
    about: 'shows a prefix: is it warm, how sure, what it cost and saved',
    example: 'pilotlight show support-agent',
    run: async (call) => shown(call, await call.api.get(prefixPath(call.arg(0)))),
  },
  {
    usage: 'set <name>',
    about: 'changes the plan, the limits or the label of a prefix',
    example: 'pilotlight set support-agent --plan always --budget 2.50',
    options: [
      PLAN,
      ['--budget <usd>', 'most US dollars a day'],
      ['--until <instant>', 'end of the plan; none: no end'],
      ['--idle-timeout <duration>', 'rest after so long without requests, such as 6h'],
      ['--latency-value <usd>', 'worth of a request that does not wait'],
      ['--ttft-target <ms>', 'wished time to the first token'],
      ['--name <label>', 'another label'],
    ],
    run: set,
  },
  {
    usage: 'pause <name>',
    about: 'sends no more keep-alives for a prefix',
    example: 'pilotlight pause support-agent',
    run: pause,
  },
  {
    usage: 'resume <name>',
    about: 'keeps a prefix warm again',
    example: 'pilotlight resume support-agent --plan always --warm',
    options: [PLAN, ['--warm', 'warms it now, which costs a write if it is cold']],
    run: resume,
  },
  {
    usage: 'rm <name>',
    about: 'stops the plan of a prefix and forgets it',
    example: 'pilotlight rm support-agent --yes',
    options: [['--yes', 'does not ask']],
    run: remove,
  },
  {
    usage: 'history <name>',
    about: 'lists what happened to a prefix, in order',
    example: 'pilotlight history support-agent --limit 20',
    options: [['--limit <count>', 'the last so many']],
    run: history,
  },
  {
    usage: 'request <name>',
    about: 'prints the body that real requests must begin with',
    example: 'pilotlight request support-agent > body.json',
    run: request,
  },
  {
    usage: 'preview <name>',
    about: 'says what another plan would have cost and saved; nothing changes',
    example: 'pilotlight preview support-agent --plan always',
    options: [PLAN],
    run: preview,
  },
  {
    usage: 'announce <name>',
    about: 'says that traffic is coming, so that the prefix is warm by then',
    example: 'pilotlight announce support-agent --in-minutes 30 --requests 200',
    options: [
      ['--at <instant>', 'when'],
      ['--in-minutes <count>', 'when, from now'],
      ['--requests <count>', 'how many'],
    ],
    run: announce,
  },
  {
    usage: 'signal <name> <kind>',
    about: 'says that a session has ended (end), or that work which will return is running (pending)',
    example: 'pilotlight signal support-agent end',
    options: [['--until <instant>', 'how long it is pending']],
    run: signal,
  },
]
