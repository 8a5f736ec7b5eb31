import { gunzipSync } from 'node:zlib'
import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { beforeEach, describe, expect, it } from 'vitest'
import { erasedPromptsAnswer } from '../../../src/contract/account.ts'
import type { Directory } from '../../../src/durable/directory/directory.ts'
import { botName } from '../../../src/durable/registry/records/bot.ts'
import type { Registry } from '../../../src/durable/registry/registry.ts'
import { readObject } from '../../support/stored-state.ts'
import { ADMIN, anthropicBody, bindings, call, endOf, get, longText, pick, post, useLab, warmOf } from '../support.ts'
import type { Answer, CallOptions } from '../support.ts'
import { contents, creation } from '../caches/support.ts'

useLab()

const MARKER = 'zanzibarquill'
/** The part of it that an excerpt of a difference still shows. */
const TOLD = 'ibarquill'
const marked = (repeat = 150): string => `${longText(repeat)} ${MARKER} ends it.`

const registry = (id: string) => bindings.REGISTRY.getByName(id) as unknown as DurableObjectStub<Registry>
const directory = () => bindings.DIRECTORY.getByName('directory') as unknown as DurableObjectStub<Directory>

let account = ''
let options: CallOptions = {}
let bot = ''

beforeEach(async () => {
  account = `acct-${crypto.randomUUID().slice(0, 8)}`
  const allowed_secrets = ['ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'OPENAI_API_KEY']
  await post('/accounts', { id: account, allowed_secrets }, { key: ADMIN })
  options = { key: pick(await post(`/accounts/${account}/keys`, {}, { key: ADMIN }), 'key') as string }
})

/** Ends once a bot has handled its message. */
async function said(id: string, text: string): Promise<void> {
  const turn = pick(await post(`/bots/${id}/messages`, { text }, options), 'turn_id')
  const ended = async () =>
    (pick(await get(`/bots/${id}`, options), 'history') as { event?: string; what: string }[]).filter(
      ({ event, what }) => event === turn && what !== 'retried',
    )
  await expect.poll(ended, { timeout: 60_000 }).toHaveLength(1)
}

/** Uses every route that stores something of a prompt. Returns the prefix of a body. */
async function useAll(): Promise<{ id: string; body: Record<string, unknown>; cache: string; text: string }> {
  const idempotent = (): CallOptions => ({ ...options, headers: { 'idempotency-key': crypto.randomUUID() } })
  const text = marked()
  const body = anthropicBody(text)
  const answers: Answer[] = [
    await post('/warm', warmOf(body, { keep_warm: { plan: 'always' } }), idempotent()),
    await post('/caches', creation(contents(marked())), idempotent()),
    await post(
      '/preload',
      { agents: [warmOf(anthropicBody(marked())), warmOf(anthropicBody(marked()))] },
      idempotent(),
    ),
    await post(
      '/bots',
      {
        provider: 'anthropic',
        model: 'claude-opus-5',
        system_prompt: marked(),
        tools: [
          {
            name: 'stock',
            description: MARKER,
            url: 'https://tools.example/stock',
            parameters: { type: 'object', properties: {} },
          },
        ],
      },
      idempotent(),
    ),
  ]
  expect(answers.map(({ status, text: said }) => (status < 300 ? 'done' : said))).toEqual(answers.map(() => 'done'))
  const [warmed, made, crew, begun] = answers as [Answer, Answer, Answer, Answer]
  await endOf(pick(crew, 'id') ?? pick(crew, 'job_id'), options)
  bot = pick(begun, 'id') as string
  await said(bot, `${MARKER}, which tent for two?`)
  const usage = { input_tokens: 10, cache_read_input_tokens: 0, cache_creation_input_tokens: 3_310, output_tokens: 5 }
  for (const n of [10, 11, 12]) {
    const request = anthropicBody(text.replace(MARKER, `${MARKER}${n}`))
    await post('/observations', [{ provider: 'anthropic', request, usage, started_at: Date.now() }], options)
  }
  return { id: pick(warmed, 'id') as string, body, cache: pick(made, 'id') as string, text }
}

/** Tables of every object of the account in which the marker stands, opened where they are only compressed. */
async function tablesThatTell(): Promise<string[]> {
  const objects = [
    await readObject('DIRECTORY', 'directory'),
    await readObject('REGISTRY', account),
    await readObject('BOT', botName(account, bot)),
  ]
  const told = (value: unknown): boolean => {
    if (typeof value === 'string') return value.includes(TOLD)
    if (typeof value !== 'object' || value === null) return false
    const bytes = Buffer.from((value as { base64: string }).base64, 'base64')
    const whole = bytes[0] === 31 ? gunzipSync(bytes) : bytes
    return whole.includes(TOLD)
  }
  return objects.flatMap(({ binding, tables }) =>
    Object.entries(tables)
      .filter(([, rows]) => rows.some((row) => Object.values(row).some(told)))
      .map(([table]) => `${binding} ${table}`),
  )
}

describe('what an account stores', () => {
  it('tells no prompt in any row of any table, and is shown all the same', async () => {
    const { id } = await useAll()
    expect(await tablesThatTell()).toEqual([])
    const rows = (await readObject('REGISTRY', account)).tables
    expect([rows['body']?.length, rows['handle_body']?.length, rows['idempotency']?.length]).toEqual([4, 1, 4])
    for (const object of [registry(account), bindings.BOT.getByName(botName(account, bot))])
      await evictDurableObject(object as unknown as DurableObjectStub<Registry>)
    expect((await get(`/prefixes/${id}/request`, options)).text).toContain(MARKER)
    const { first_difference } = pick(await get(`/prefixes/${id}`, options), 'drift') as Record<string, unknown>
    expect(JSON.stringify(first_difference)).toContain(TOLD)
    expect((await get('/prefixes?drifted=true', options)).text).toContain(TOLD)
    expect((await get(`/bots/${bot}/snapshot`, options)).text).toContain(MARKER)
  })

  it('is answered again under an idempotency key after an eviction', async () => {
    const headers = { 'idempotency-key': 'again' }
    const form = warmOf(anthropicBody(marked()))
    const first = await post('/warm', form, { ...options, headers })
    await evictDurableObject(registry(account))
    const again = await post('/warm', form, { ...options, headers })
    expect([again.headers.get('idempotent-replayed'), again.json]).toEqual(['true', first.json])
    const [row] = (await readObject('REGISTRY', account)).tables['idempotency'] ?? []
    expect(row?.['body']).toMatchObject({ base64: expect.any(String) })
  })
})

describe('erasing the prompts alone', () => {
  it.each([
    ['by the account', () => call('DELETE', '/prompts', undefined, options)],
    ['by the administrator', () => call('DELETE', `/accounts/${account}/prompts`, undefined, { key: ADMIN })],
  ])('leaves what is known about them, and asks for registration anew: %s', async (_, erase) => {
    const { id, body, cache, text } = await useAll()
    /** What the account's calls cost; the deletion of a handle is a row of its own. */
    const spent = async () => {
      const rows = pick(await get('/ledger', options), 'data') as { type: string }[]
      return rows.filter(({ type }) => type === 'call')
    }
    const before = {
      ledger: await spent(),
      metrics: pick(await get(`/prefixes/${id}`, options), 'cost_usd'),
    }
    const { bot: _bot } = { bot }
    const erased = await erase()
    expect([erased.status, erased.json]).toEqual([200, { erased: true, prefixes: 4, managed_caches: 1, bots: 1 }])
    expect(() => erasedPromptsAnswer.parse(erased.json)).not.toThrow()
    await evictDurableObject(registry(account))

    const rows = (await readObject('REGISTRY', account)).tables
    expect([rows['body'], rows['handle_body'], rows['idempotency'], rows['bot']]).toEqual([[], [], [], []])
    expect(before.ledger.length).toBeGreaterThan(2)
    expect(await spent()).toEqual(before.ledger)
    expect((await get(`/bots/${_bot}`, options)).status).toBe(404)

    const path = `/prefixes/${id}`
    const shown = await get(path, options)
    expect(shown.json).toMatchObject({ id, cost_usd: before.metrics, plan: { stopped: { reason: 'prompt_erased' } } })
    expect(shown.text).not.toContain(TOLD)
    for (const refused of [await get(`${path}/request`, options), await post(`${path}/warm`, undefined, options)]) {
      expect(refused.status).toBeGreaterThanOrEqual(400)
      expect(refused.text).toMatch(/Register (it|the prefix) anew with POST \/warm/)
    }
    expect(pick(await get(`/caches/${cache}`, options), 'stopped')).toMatchObject({ reason: 'prompt_erased' })

    const again = await post('/warm', warmOf(body, { keep_warm: { plan: 'always' } }), options)
    expect([again.status, pick(again, 'id')]).toEqual([200, id])
    expect((await get(`${path}/request`, options)).text).toContain(text.slice(0, 60))
    expect(pick(await get(path, options), 'plan', 'stopped')).toBeNull()
    expect(await tablesThatTell()).toEqual([])
  })

  it('is ended by a repetition where it failed half-way, and the key was forgotten by then', async () => {
    const { id } = await useAll()
    const copy = (await readObject('REGISTRY', account)).tables['body'] ?? []
    expect(copy).not.toEqual([])
    // The Registry ends between the two objects: the rows are still there.
    await directory().forgetBodyKey(account)
    await evictDurableObject(registry(account))
    const unreadable = await get(`/prefixes/${id}/request`, options)
    expect([unreadable.status, unreadable.text]).toEqual([404, expect.stringContaining('forgotten')])
    expect((await call('DELETE', '/prompts', undefined, options)).status).toBe(200)
    expect((await readObject('REGISTRY', account)).tables['body']).toEqual([])
  })

  it('is refused to nobody else, and asks for a key', async () => {
    expect((await call('DELETE', '/prompts', undefined, { key: ADMIN })).status).toBe(403)
    expect((await call('DELETE', `/accounts/${account}/prompts`, undefined, options)).status).toBe(403)
    expect((await call('DELETE', '/accounts/nobody-here/prompts', undefined, { key: ADMIN })).status).toBe(404)
    expect((await call('DELETE', '/prompts', undefined, options)).json).toEqual({
      erased: true,
      prefixes: 0,
      managed_caches: 0,
      bots: 0,
    })
  })
})

describe('a key that is not the one that sealed the account', () => {
  it('is refused in words, until the databases agree or the prompts are given up', async () => {
    const warmed = await post('/warm', warmOf(anthropicBody(marked())), options)
    const path = `/prefixes/${pick(warmed, 'id')}/request`
    const keyRow = () =>
      runInDurableObject(
        directory(),
        (_, { storage: { sql } }) =>
          sql.exec<{ key: string }>('SELECT key FROM body_key WHERE account = ?', account).one().key,
      )
    const kept = await keyRow()
    // The Directory as it was before the account had a key.
    await runInDurableObject(directory(), (_, { storage: { sql } }) => {
      sql.exec('DELETE FROM body_key WHERE account = ?', account)
    })
    await evictDurableObject(registry(account))
    for (const refused of [await get(path, options), await post('/warm', warmOf(anthropicBody(marked())), options)])
      expect([refused.status, refused.text]).toEqual([503, expect.stringContaining('restored to an earlier time')])
    const shown = await get(`/accounts/${account}`, { key: ADMIN })
    expect(shown.json).toMatchObject({ prompts_held: expect.stringContaining('restored') })
    // Restored to the same time as the account, it opens again.
    await runInDurableObject(directory(), (_, { storage: { sql } }) => {
      sql.exec('INSERT INTO body_key VALUES (?, ?)', account, kept)
    })
    expect((await get(path, options)).text).toContain(MARKER)
    expect((await get(`/accounts/${account}`, { key: ADMIN })).json).toMatchObject({
      prompts_held: null,
    })
    // Lost for good: to give up the prompts lets the account go on.
    await runInDurableObject(directory(), (_, { storage: { sql } }) => {
      sql.exec('DELETE FROM body_key WHERE account = ?', account)
    })
    await evictDurableObject(registry(account))
    expect((await call('DELETE', `/accounts/${account}/prompts`, undefined, { key: ADMIN })).status).toBe(200)
    expect((await post('/warm', warmOf(anthropicBody(marked())), options)).status).toBe(200)
  })
})
