import { EXIT } from '../remote/exit.ts'
import type { Json } from '../remote/api.ts'
import { pairsOf, tableOf } from '../remote/table.ts'
import type { Column } from '../remote/table.ts'
import { at, count, percent, text, usd } from '../remote/words.ts'
import { given } from './command.ts'
import type { Call, Spec } from './command.ts'

const SPAN = [
  ['--from <day>', 'first UTC day, such as 2026-11-25'],
  ['--to <day>', 'last UTC day'],
] as const

function query(call: Call, more: Readonly<Record<string, string | undefined>> = {}): string {
  const all = given({ from: call.flag('from'), to: call.flag('to'), ...more }) as Record<string, string>
  const written = new URLSearchParams(all).toString()
  return written === '' ? '' : `?${written}`
}

const rightOf = (title: string, of: (row: Json) => string): Column<Json> => ({ title, of, right: true })
const plain = (title: string, name: string): Column<Json> => ({ title, of: (row) => text(row[name]) })

async function ledger(call: Call): Promise<number> {
  const answer = await call.api.get(`/ledger${query(call, { group: call.flag('group') ?? 'day' })}`)
  const totals = answer['totals'] as Json
  call.show(
    answer,
    () =>
      pairsOf([
        ['span', `${text(answer['from'])} to ${text(answer['to'])}`],
        ['calls', `${count(totals['calls'])}, ${count(totals['unpriced_calls'])} of unknown price`],
        ['cost', usd(totals['cost_usd'])],
        ['saved', usd(totals['saved_usd'])],
        ['net', usd(totals['net_usd'])],
        ['requests', `${count(totals['hits'])} hits, ${count(totals['misses'])} misses`],
        ['measured', text(at(answer, 'holdout', 'measured') ?? at(answer, 'holdout', 'why'))],
      ]) +
      '\n' +
      tableOf(
        [
          { title: 'GROUP', of: (row) => text(row['day'] ?? row['name'] ?? row['prefix_id'] ?? row['at']) },
          rightOf('CALLS', (row) => count(row['calls'])),
          rightOf('COST', (row) => usd(row['cost_usd'])),
          rightOf('SAVED', (row) => usd(row['saved_usd'])),
          rightOf('NET', (row) => usd(row['net_usd'])),
        ],
        answer['data'] as Json[],
        call.shell,
      ),
  )
  return EXIT.done
}

async function stats(call: Call): Promise<number> {
  const by = call.flag('by') ?? 'day'
  const answer = await call.api.get(`/stats${query(call, { by })}`)
  const totals = answer['totals'] as Json
  const groups = by.split(',').map((one): Column<Json> => {
    const name = one === 'hour' || one === 'day' ? 'at' : one
    return { title: one.toUpperCase(), of: (row) => text(row[name]).replace(/:00:00\.000Z$|T00:00:00\.000Z$/, '') }
  })
  call.show(
    answer,
    () =>
      pairsOf([
        ['span', `${text(answer['from'])} to ${text(answer['to'])}`],
        [
          'requests',
          `${count(totals['requests'])}: ${count(totals['hits'])} hits, ${count(totals['misses'])} misses, ${count(totals['unknown'])} unknown`,
        ],
        ['by request', `${percent(totals['hit_rate_by_request'])}  hits of hits and misses`],
        ['by token', `${percent(totals['hit_rate_by_token'])}  tokens read of all tokens of the prompts`],
      ]) +
      '\n' +
      tableOf(
        [
          ...groups,
          rightOf('REQUESTS', (row) => count(row['requests'])),
          rightOf('BY REQUEST', (row) => percent(row['hit_rate_by_request'])),
          rightOf('BY TOKEN', (row) => percent(row['hit_rate_by_token'])),
          rightOf('READ', (row) => count(row['read_tokens'])),
          rightOf('WRITTEN', (row) => count(row['written_tokens'])),
        ],
        answer['data'] as Json[],
        call.shell,
      ),
  )
  return EXIT.done
}

async function misses(call: Call): Promise<number> {
  const all = await call.api.list(`/misses${query(call, { by: call.flag('by') })}`)
  call.show({ data: all, next_cursor: null }, () =>
    all.length === 0
      ? 'No call through the gateway missed in these days.\n'
      : tableOf(
          [
            plain('VERDICT', 'verdict'),
            { title: 'WHOSE', of: (row) => text(row['fault']) },
            { title: 'NAME', of: (row) => text(row['name'] ?? row['day']) },
            rightOf('MISSES', (row) => count(row['count'])),
            rightOf('TOKENS', (row) => count(row['lost_tokens'])),
            rightOf('COST', (row) => usd(row['cost_usd'])),
            { title: 'WHERE', of: (row) => text(at(row, 'last', 'first_difference', 'path')) },
          ],
          all,
          call.shell,
        ) + [...new Set(all.map((row) => text(row['fix'])))].map((fix) => `fix: ${fix}\n`).join(''),
  )
  return EXIT.done
}

/** A list, as one command shows it. */
function listing(path: string, columns: readonly Column<Json>[], none: string): Spec['run'] {
  return async (call) => {
    call.showTable(columns, await call.api.list(path), none)
    return EXIT.done
  }
}

async function caches(call: Call): Promise<number> {
  const [id] = call.args
  if (id !== undefined && call.has('rm')) {
    if (!(await call.sure(`Delete the managed cache ${id} at its provider?`))) return EXIT.finding
    call.show(await call.api.ask('DELETE', `/caches/${encodeURIComponent(id)}`), () => `${id} is deleted.\n`)
    return EXIT.done
  }
  if (id !== undefined) {
    const one = await call.api.get(`/caches/${encodeURIComponent(id)}`)
    call.show(one, () => pairsOf(Object.entries(one).map(([name, value]) => [name, text(value)] as const)))
    return EXIT.done
  }
  const run = listing(
    '/caches',
    [
      plain('ID', 'id'),
      plain('PROVIDER', 'provider'),
      plain('MODEL', 'model'),
      plain('HANDLE', 'handle'),
      plain('EXPIRES', 'expires_at'),
    ],
    'There is no managed cache.',
  )
  return run(call)
}

async function candidates(call: Call): Promise<number> {
  const [id] = call.args
  if (id !== undefined) {
    const path = `/candidates/${encodeURIComponent(id)}`
    const answer = call.has('rm')
      ? await call.api.ask('DELETE', path)
      : await call.api.ask('POST', `${path}/register`, { body: given({ name: call.flag('name') }) })
    call.show(answer, () => pairsOf(Object.entries(answer).map(([name, value]) => [name, text(value)] as const)))
    return EXIT.done
  }
  const run = listing(
    '/candidates',
    [
      plain('ID', 'id'),
      plain('PROVIDER', 'provider'),
      plain('MODEL', 'model'),
      plain('REQUESTS', 'requests'),
      plain('TOKENS', 'tokens'),
      plain('WHY', 'why'),
    ],
    'No beginning recurs in the calls through the gateway, as far as was seen.',
  )
  return run(call)
}

async function gateways(call: Call): Promise<number> {
  const [name, path] = call.args
  if (name === undefined)
    return listing(
      '/gateways',
      [plain('NAME', 'name'), { title: 'MODELS', of: (row) => text((row['models'] as unknown[] | undefined)?.length) }],
      'There is no pool of models.',
    )(call)
  const own = `/gateways/${encodeURIComponent(name)}`
  const answer = call.has('rm')
    ? await call.api.ask('DELETE', own)
    : path === undefined
      ? await call.api.get(own)
      : await call.api.ask('PUT', own, { text: await call.file(path) })
  call.show(answer, () => pairsOf(Object.entries(answer).map(([member, value]) => [member, text(value)] as const)))
  return EXIT.done
}

export const listCommands: readonly Spec[] = [
  {
    usage: 'ledger',
    about: 'says what warmth cost and saved',
    example: 'pilotlight ledger --from 2026-11-01 --group prefix',
    options: [...SPAN, ['--group <what>', 'day or prefix']],
    run: ledger,
  },
  {
    usage: 'stats',
    about: 'shows hit rates, by request and by token',
    example: 'pilotlight stats --by name,version',
    options: [...SPAN, ['--by <groups>', 'hour, day, name, version, provider, model; several with commas']],
    run: stats,
  },
  {
    usage: 'misses',
    about: 'says why calls through the gateway missed, and what it cost',
    example: 'pilotlight misses --by name',
    options: [...SPAN, ['--by <what>', 'verdict, name or day']],
    run: misses,
  },
  {
    usage: 'candidates [id]',
    about: 'lists beginnings that recur in calls; with an id, registers one',
    example: 'pilotlight candidates cnd_0123456789abcdef --name support',
    options: [
      ['--name <label>', 'label of what is registered'],
      ['--rm', 'forgets it instead'],
    ],
    run: candidates,
  },
  {
    usage: 'caches [id]',
    about: 'lists managed caches, or shows one',
    example: 'pilotlight caches',
    options: [
      ['--rm', 'deletes it at its provider'],
      ['--yes', 'does not ask'],
    ],
    run: caches,
  },
  {
    usage: 'gateways [name] [file]',
    about: 'lists pools of models, shows one, or sets it from a file',
    example: 'pilotlight gateways fast-pool pool.json',
    options: [['--rm', 'deletes it']],
    run: gateways,
  },
  {
    usage: 'providers',
    about: 'lists the providers that the deployment knows',
    example: 'pilotlight providers',
    run: listing(
      '/providers',
      [
        plain('ID', 'id'),
        plain('NAME', 'name'),
        { title: 'HANDLES', of: (row) => (row['supports_handles'] === true ? 'yes' : 'no') },
        { title: 'REFUSED', of: (row) => text(at(row, 'refusal', 'message') ?? row['refusal']) },
      ],
      'There is none.',
    ),
  },
]
