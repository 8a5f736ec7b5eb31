import { CommandError, EXIT } from '../remote/exit.ts'
import type { Json } from '../remote/api.ts'
import { pairsOf } from '../remote/table.ts'
import { text, usd } from '../remote/words.ts'
import { given, number } from './command.ts'
import type { Call, Spec } from './command.ts'

const accountPath = (id: string): string => `/accounts/${encodeURIComponent(id)}`

function pairs(call: Call, answer: Json): number {
  call.show(answer, () => pairsOf(Object.entries(answer).map(([name, value]) => [name, text(value)] as const)))
  return EXIT.done
}

async function accounts(call: Call): Promise<number> {
  const [id] = call.args
  const { api } = call
  if (id === undefined) {
    const all = await api.list('/accounts', Number.POSITIVE_INFINITY, 'admin')
    call.showTable(
      [
        { title: 'ID', of: (row) => text(row['id']) },
        {
          title: 'BUDGET A DAY',
          of: (row) => (row['budget_usd_per_day'] === null ? 'none' : usd(row['budget_usd_per_day'])),
          right: true,
        },
        { title: 'KILL SWITCH', of: (row) => (row['kill_switch'] === true ? 'on' : 'off') },
        { title: 'LEARNS', of: (row) => text(row['learn']) },
        { title: 'CREATED', of: (row) => text(row['created_at']).slice(0, 10) },
      ],
      all,
      'There is no account yet: pilotlight accounts ID --add.',
    )
    return EXIT.done
  }
  if (call.has('rm')) {
    if (!(await call.sure(`Erase the account ${id}, with its prefixes, its ledger and its keys?`))) return EXIT.finding
    return pairs(call, await api.ask('DELETE', accountPath(id), {}, 'admin'))
  }
  const budget = call.flag('budget')
  const body = given({
    budget_usd_per_day: budget === 'none' ? null : number(budget, 'budget'),
    learn: call.flag('learn'),
    kill_switch: call.flag('kill') === undefined ? undefined : call.flag('kill') === 'on',
  })
  if (call.has('add')) return pairs(call, await api.ask('POST', '/accounts', { body: { id, ...body } }, 'admin'))
  if (Object.keys(body).length > 0) return pairs(call, await api.ask('PATCH', accountPath(id), { body }, 'admin'))
  return pairs(call, await api.get(accountPath(id), 'admin'))
}

/** Lists, makes and revokes keys, or tokens for paths, which are keys of one access. */
function keysOf(access: string | undefined): Spec['run'] {
  return async (call) => {
    const path = `${accountPath(call.arg(0))}/keys`
    const revoked = call.flag('rm')
    if (revoked !== undefined)
      return pairs(call, await call.api.ask('DELETE', `${path}/${encodeURIComponent(revoked)}`, {}, 'admin'))
    if (call.has('add')) {
      const body = given({ access: access ?? call.flag('access'), expires_in: call.flag('expiresIn') })
      return pairs(call, await call.api.ask('POST', path, { body }, 'admin'))
    }
    const all = (await call.api.list(path, Number.POSITIVE_INFINITY, 'admin')).filter(
      (key) => access === undefined || key['access'] === access,
    )
    call.showTable(
      [
        { title: 'ID', of: (row) => text(row['id']) },
        { title: 'ACCESS', of: (row) => text(row['access']) },
        { title: 'CREATED', of: (row) => text(row['created_at']).slice(0, 16) },
        { title: 'EXPIRES', of: (row) => text(row['expires_at']).slice(0, 16) },
        { title: 'REVOKED', of: (row) => text(row['revoked_at']).slice(0, 16) },
      ],
      all,
      'There is none: give --add to make one.',
    )
    return EXIT.done
  }
}

async function credentials(call: Call): Promise<number> {
  const path = `${accountPath(call.arg(0))}/credentials`
  const name = call.args[1]
  if (name === undefined) {
    call.showTable(
      [
        { title: 'NAME', of: (row: Json) => text(row['name']) },
        { title: 'PROVIDER', of: (row: Json) => text(row['provider']) },
        { title: 'HOST', of: (row: Json) => text(row['host']) },
        { title: 'GENERATION', of: (row: Json) => text(row['generation']), right: true },
      ],
      await call.api.list(path, Number.POSITIVE_INFINITY, 'admin'),
      'There is none: pilotlight credentials ACCOUNT NAME --provider ID --secret-file FILE.',
    )
    return EXIT.done
  }
  const at = `${path}/${encodeURIComponent(name)}`
  if (call.has('rm')) {
    if (!(await call.sure(`Delete the credential ${name}? Plans that use it stop.`))) return EXIT.finding
    return pairs(call, await call.api.ask('DELETE', at, {}, 'admin'))
  }
  const [provider, secretFile] = [call.flag('provider'), call.flag('secretFile')]
  if (provider === undefined || secretFile === undefined)
    throw new CommandError(
      EXIT.usage,
      'Give --provider and --secret-file (- for standard input). A secret is never an argument.',
    )
  const body = given({
    provider,
    secret: (await call.file(secretFile)).trim(),
    region: call.flag('region'),
    host: call.flag('host'),
  })
  return pairs(call, await call.api.ask('PUT', at, { body }, 'admin'))
}

async function webhook(call: Call): Promise<number> {
  const path = `${accountPath(call.arg(0))}/webhook`
  const url = call.args[1]
  if (url !== undefined) return pairs(call, await call.api.ask('PUT', path, { body: { url } }, 'admin'))
  if (call.has('test')) return pairs(call, await call.api.ask('POST', `${path}/test`, { body: {} }, 'admin'))
  if (call.has('rm')) return pairs(call, await call.api.ask('DELETE', path, {}, 'admin'))
  return pairs(call, await call.api.get(path, 'admin'))
}

async function kill(call: Call): Promise<number> {
  const [word] = call.args
  if (word !== undefined && word !== 'on' && word !== 'off')
    throw new CommandError(
      EXIT.usage,
      'Say pilotlight kill on, or pilotlight kill off; without a word it shows the switch.',
    )
  const { api } = call
  const account = call.flag('account')
  if (account !== undefined && word !== undefined)
    return pairs(call, await api.ask('PATCH', accountPath(account), { body: { kill_switch: word === 'on' } }, 'admin'))
  if (word === 'on' && !(await call.sure("Stop every call of Pilotlight's own, of all accounts?"))) return EXIT.finding
  const answer =
    word === undefined
      ? await api.get('/kill-switch', 'admin')
      : await api.ask('POST', '/kill-switch', { body: { on: word === 'on' } }, 'admin')
  call.show(
    answer,
    () =>
      `The kill switch is ${answer['on'] === true ? 'on: Pilotlight sends no call of its own. Callers\u2019 requests pass' : 'off'}.` +
      `${Number(answer['pending'] ?? 0) > 0 ? ` ${text(answer['pending'])} accounts are still to be told.` : ''}\n`,
  )
  return EXIT.done
}

export const adminCommands: readonly Spec[] = [
  {
    usage: 'accounts [id]',
    about: 'lists accounts; shows, makes, changes or erases one',
    example: 'pilotlight accounts acme --add --budget 20',
    options: [
      ['--add', 'makes it'],
      ['--budget <usd>', 'most US dollars a day; none: no limit'],
      ['--learn <what>', 'off, observe or register'],
      ['--kill <word>', 'on or off, for this account alone'],
      ['--rm', 'erases it'],
      ['--yes', 'does not ask'],
    ],
    run: accounts,
  },
  {
    usage: 'keys <account>',
    about: 'lists the keys of an account; makes or revokes one',
    example: 'pilotlight keys acme --add --access read --expires-in 90d',
    options: [
      ['--add', 'makes one, and shows it once'],
      ['--access <what>', 'full, read or via'],
      ['--expires-in <duration>', 'such as 90d'],
      ['--rm <id>', 'revokes one'],
    ],
    run: keysOf(undefined),
  },
  {
    usage: 'tokens <account>',
    about: 'the same for tokens that open the gateway alone, for clients that can add no header',
    example: 'pilotlight tokens acme --add',
    options: [
      ['--add', 'makes one, and shows it once'],
      ['--expires-in <duration>', 'such as 90d'],
      ['--rm <id>', 'revokes one'],
    ],
    run: keysOf('via'),
  },
  {
    usage: 'credentials <account> [name]',
    about: "lists the provider's keys of an account; stores or deletes one",
    example: 'pilotlight credentials acme team --provider anthropic --secret-file key.txt',
    options: [
      ['--provider <id>', 'whose key it is'],
      ['--secret-file <path>', 'file with the secret; - for standard input'],
      ['--region <name>', 'region or location'],
      ['--host <name>', 'host that receives it'],
      ['--rm', 'deletes it'],
      ['--yes', 'does not ask'],
    ],
    run: credentials,
  },
  {
    usage: 'webhook <account> [url]',
    about: 'shows or sets where stopped plans and alarms are reported to',
    example: 'pilotlight webhook acme https://hooks.example.com/pilotlight',
    options: [
      ['--test', 'sends a message to it'],
      ['--rm', 'deletes it'],
    ],
    run: webhook,
  },
  {
    usage: 'kill [word]',
    about: 'shows the kill switch, or sets it: on or off',
    example: 'pilotlight kill on --yes',
    options: [
      ['--account <id>', 'for this account alone'],
      ['--yes', 'does not ask'],
    ],
    run: kill,
  },
]
