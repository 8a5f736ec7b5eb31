import { beforeEach, describe, expect, it, vi } from 'vitest'
import { ADMIN, anthropicBody, call, endOf, get, newAccount, pick, post, useLab } from '../support.ts'
import type { Answer } from '../support.ts'

const world = useLab()
const admin = { key: ADMIN }
const FIRST = 'key-of-the-first-generation-0001'
const SECOND = 'key-of-the-second-generation-0002'

let account = { id: '', key: '' }
const as = () => ({ key: account.key })

beforeEach(async () => {
  account = await newAccount()
})

async function store(secret: string, provider = 'anthropic'): Promise<void> {
  const { status } = await call('PUT', `/accounts/${account.id}/credentials/team`, { provider, secret }, admin)
  expect([200, 201]).toContain(status)
}

async function pool(): Promise<void> {
  const models = [
    { name: 'first', provider: 'anthropic', model: 'claude-opus-5', credential: 'team' },
    { name: 'next', provider: 'anthropic', model: 'claude-opus-4-8', credential: 'team' },
  ]
  expect((await call('PUT', '/gateways/desk', { models }, as())).status).toBe(201)
}

const warmed = (request: unknown, more: Record<string, unknown> = {}): Promise<Answer> =>
  post('/warm', { gateway: 'desk', request, keep_warm: { plan: 'always' }, ...more }, as())
const shown = (): Promise<Answer> => get('/gateways/desk', as())
const prefixesOf = async (index = 0) =>
  pick(await shown(), 'models', index, 'prefixes') as { id: string; state: string; why: string }[]
/** Keys that were sent to the provider, in order. */
const keysSent = (): (string | null)[] =>
  vi.mocked(fetch).mock.calls.map(([input, init]) => new Request(input, init).headers.get('x-api-key'))

describe('a model of a pool', () => {
  it('is not believed warm once its credential was replaced, is told, and is warmed anew', async () => {
    await store(FIRST)
    await pool()
    const body = anthropicBody()
    const first = await warmed(body)
    expect([first.status, pick(first, 'warmed')]).toEqual([200, ['first']])
    const id = pick(first, 'models', 0, 'result', 'id')
    expect(await prefixesOf()).toMatchObject([{ id, state: 'warm' }])
    expect(pick(await shown(), 'advice')).toEqual([])

    await store(SECOND)
    expect(await prefixesOf()).toMatchObject([
      { id, state: 'cold', why: expect.stringContaining('credential team that wrote this prefix was replaced') },
    ])
    const [advice, ...others] = pick(await shown(), 'advice') as { cause: string; message: string; at: string }[]
    expect([advice, others]).toMatchObject([{ cause: 'credential_replaced', at: 'models[0].credential' }, []])
    expect(advice?.message).toContain(String(id))
    for (const [path, state] of [
      [`/prefixes/${String(id)}`, ['warmth', 'state']],
      [`/prefixes/${String(id)}/warmth`, ['state']],
    ] as const)
      expect(pick(await get(path, as()), ...state)).toBe('cold')

    const again = await warmed(body)
    expect(pick(again, 'models', 0, 'result')).toMatchObject({ created: true, receipt: { kind: 'written' } })
    expect(keysSent()).toEqual([FIRST, SECOND])
    expect(await prefixesOf()).toMatchObject([
      { id: pick(again, 'models', 0, 'result', 'id'), state: 'warm' },
      { id, state: 'cold' },
    ])
    expect(pick(await shown(), 'advice')).toEqual([])
  })

  it('whose credential is missing or for another provider is told, also in the list', async () => {
    await store(FIRST)
    await pool()
    await call('DELETE', `/accounts/${account.id}/credentials/team`, undefined, admin)
    const causes = async () => [
      (pick(await shown(), 'advice') as { cause: string; at: string }[]).map(({ cause, at }) => [cause, at]),
      (pick(await get('/gateways', as()), 'data', 0, 'advice') as { cause: string }[]).map(({ cause }) => cause),
    ]
    expect(await causes()).toEqual([
      [0, 1].map((index) => ['credential_missing', `models[${index}].credential`]),
      ['credential_missing', 'credential_missing'],
    ])
    expect((await warmed(anthropicBody())).status).toBeGreaterThanOrEqual(400)
    await store(SECOND, 'openai')
    expect(await causes()).toMatchObject([
      [['credential_elsewhere', 'models[0].credential'], expect.anything()],
      ['credential_elsewhere', 'credential_elsewhere'],
    ])
    await store(SECOND)
    expect(await causes()).toEqual([[], []])
  })

  it('that waits behind one in the background is not sent with the former key', async () => {
    await store(FIRST)
    await pool()
    const body = anthropicBody()
    // The second model is warm under the first key.
    expect(pick(await warmed(body, { gateway_models: 'all' }), 'warmed')).toEqual(['first', 'next'])
    const provider = world.hold()
    world.lab.faults.add({ kind: 'overloaded', times: 10 })
    const queued = await warmed(
      {
        ...body,
        system: [{ type: 'text', text: `Another. ${JSON.stringify(body)}`, cache_control: { type: 'ephemeral' } }],
      },
      { background: true },
    )
    expect(queued.status).toBe(202)
    await store(SECOND)
    provider.release()
    const job = await endOf(
      pick(queued, 'models', 0, 'result', 'job_id') ?? pick(queued, 'models', 0, 'result', 'job', 'id'),
      as(),
    )
    expect(pick(job, 'failure')).not.toBeNull()
    await expect.poll(async () => (await prefixesOf(1)).map(({ state }) => state)).not.toContain('warm')
    expect(new Set(keysSent())).toEqual(new Set([FIRST]))
  })
})
