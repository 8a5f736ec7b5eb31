import { warmOf } from './bodies.ts'
import type { Player } from './player.ts'

const HOOK = 'http://hooks.test/pilotlight'

/** Accounts, their keys and their budgets. */
export async function accounts(player: Player): Promise<void> {
  await player.admin('POST', '/accounts', { id: 'acme' })
  await player.admin('POST', '/accounts', { id: 'acme' })
  await player.admin('POST', '/accounts', {
    id: 'rich',
    budget_usd_per_day: 5,
    allowed_secrets: ['ANTHROPIC_API_KEY'],
    kill_switch: false,
  })
  for (const wrong of [
    { id: 'Not An Id' },
    { id: 'b', budget_usd_per_day: -1 },
    { id: 'b', allowed_secrets: ['NOBODYS_KEY'] },
    { id: 'b', allowed_secrets: 'ANTHROPIC_API_KEY' },
    { id: 'b', kill_switch: 'yes' },
  ])
    await player.admin('POST', '/accounts', wrong)
  await player.admin('GET', '/accounts')
  const page = await player.admin('GET', '/accounts?limit=1')
  await player.admin('GET', `/accounts?limit=2&cursor=${String(page.json['next_cursor'])}`)
  for (const query of ['limit=0', 'limit=201', 'limit=x', 'cursor=nonsense', 'other=1'])
    await player.admin('GET', `/accounts?${query}`)
  await player.admin('GET', '/accounts/acme')
  await player.admin('PATCH', '/accounts/acme', {
    budget_usd_per_day: 0.000_001,
    allowed_secrets: ['ANTHROPIC_API_KEY'],
  })
  const made = await player.admin('POST', '/accounts/acme/keys')
  const short = await player.admin('POST', '/accounts/acme/keys', { expires_in: '90s' })
  await player.admin('POST', '/accounts/acme/keys', { expires_at: '2040-01-01T00:00:00+02:00' })
  for (const wrong of [
    { expires_at: '2020-01-01T00:00:00Z' },
    { expires_at: 'soon' },
    { expires_in: '1h', expires_at: '2040-01-01T00:00:00Z' },
  ])
    await player.admin('POST', '/accounts/acme/keys', wrong)
  await player.admin('GET', '/accounts/acme/keys')
  const acme = { key: String(made.json['key']) }
  await player.post('/warm', warmOf('over the budget'), acme)
  await player.admin('PATCH', '/accounts/acme', { budget_usd_per_day: null })
  await player.post('/warm', warmOf('within the budget'), acme)
  await player.admin('PATCH', '/accounts/acme', { kill_switch: true })
  await player.post('/warm', warmOf('within the budget'), acme)
  await player.admin('PATCH', '/accounts/acme', { kill_switch: false })
  await player.post('/warm', { provider: 'openai', model: 'gpt-5.6-sol', system: 'Not allowed.' }, acme)
  await player.admin('GET', '/accounts/acme')
  await player.get('/export', acme)
  await player.admin('GET', '/accounts/acme/export')
  await player.ask('DELETE', '/prompts', undefined, acme)
  await player.post('/warm', warmOf('within the budget'), acme)
  await player.admin('DELETE', '/accounts/acme/prompts')
  await player.admin('DELETE', '/accounts/nobody/prompts')
  player.later(120_000)
  await player.get('/prefixes', { key: String(short.json['key']) })
  const path = `/accounts/acme/keys/${String(made.json['id'])}`
  await player.admin('DELETE', path)
  await player.admin('DELETE', path)
  await player.get('/prefixes', acme)
  await player.admin('DELETE', '/accounts/acme/keys/000000000000')
  await player.admin('DELETE', '/accounts/acme')
  await player.admin('GET', '/accounts/acme')
  await player.admin('DELETE', '/accounts/acme')
}

/** Credentials of an account: stored, used, replaced, deleted. */
export async function credentials(player: Player): Promise<void> {
  const path = `/accounts/${player.account}/credentials`
  const team = { provider: 'anthropic', secret: 'sk-ant-of-the-team-0123456789' }
  await player.admin('PUT', `${path}/team`, team)
  await player.admin('PUT', `${path}/elsewhere`, { ...team, host: 'api.anthropic.com' })
  const warmed = await player.post('/warm', warmOf('team', { credential: 'team', keep_warm: { plan: 'always' } }))
  await player.post('/warm', warmOf('team', { credential: 'elsewhere' }))
  await player.post('/warm', warmOf('team', { credential: 'nobodys' }))
  await player.post('/warm', { provider: 'openai', model: 'gpt-5.6-sol', system: 'Hello.', credential: 'team' })
  await player.admin('PUT', `${path}/team`, { ...team, secret: 'sk-ant-of-the-team-9876543210' })
  await player.admin('GET', path)
  await player.get(`/prefixes/${String(warmed.json['id'])}`)
  await player.admin('PUT', `${path}/bad`, { ...team, secret: 'bad-key-of-nobody' })
  await player.post('/warm', warmOf('refused key', { credential: 'bad' }))
  for (const [name, wrong] of [
    ['default', team],
    ['not%20a%20name', team],
    ['x', { provider: 'nobody', secret: team.secret }],
    ['x', { provider: 'anthropic', secret: 'short' }],
    ['x', { provider: 'anthropic' }],
    ['x', { ...team, host: 'not a host' }],
    ['x', { provider: 'vertex', secret: '{"type":"authorized_user"}' }],
  ] as const)
    await player.admin('PUT', `${path}/${name}`, wrong)
  await player.admin('DELETE', `${path}/team`)
  await player.admin('DELETE', `${path}/team`)
  await player.admin('GET', path)
}

/** Where stopped plans are told of. */
export async function webhook(player: Player): Promise<void> {
  let status = 204
  player.servers.set('hooks.test', async (request) => {
    const names = ['content-type', 'webhook-id', 'user-agent']
    const heads = names.map((name) => `${name}: ${request.headers.get(name) ?? ''}`)
    player.note(`${request.method} ${request.url} was asked`, `${heads.join('\n')}\n${await request.text()}`)
    return new Response(null, { status })
  })
  const path = `/accounts/${player.account}/webhook`
  for (const [method, end] of [
    ['GET', ''],
    ['POST', '/test'],
    ['DELETE', ''],
  ] as const)
    await player.admin(method, path + end)
  await player.admin('PUT', path, { url: HOOK })
  await player.admin('PUT', path, { url: `${HOOK}?again`, rotate_secret: false })
  await player.admin('PUT', path, { url: HOOK, rotate_secret: true })
  for (const wrong of [
    { url: 'nonsense' },
    { url: 'ftp://hooks.test' },
    { url: 'http://user:pass@hooks.test' },
    { url: 5 },
  ])
    await player.admin('PUT', path, wrong)
  await player.admin('POST', `${path}/test`)
  status = 500
  await player.admin('POST', `${path}/test`)
  await player.admin('GET', path)
  await player.admin('GET', `/accounts/${player.account}`)
  await player.admin('DELETE', path)
  await player.admin('GET', path)
}
