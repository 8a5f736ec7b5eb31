import { beforeEach, describe, expect, it } from 'vitest'
import { planned } from '../../../src/gateway/learning/learner.ts'
import type { LearnPorts, Plan } from '../../../src/gateway/learning/learner.ts'
import { readCall, SUBSCRIPTION } from '../../../src/gateway/seen-ends.ts'
import type { Called } from '../../../src/gateway/seen-ends.ts'
import type { LearningOrder, RefusedByUse } from '../../../src/registration/by-use/lesson.ts'
import { DEFAULT_USE } from '../../../src/registration/credential-use.ts'
import { clockFrom } from '../../../src/runtime/clock.ts'
import { candidateId } from '../../../src/runtime/ids.ts'

const long = 'You answer questions about the river handbook. '.repeat(400)
const vars = { ENVIRONMENT: 'production' }
const SALT = 'a key of the account'

let account = ''
let count = 0
beforeEach(() => {
  count += 1
  account = `account-${count}`
})

const anthropic = (question: string, change: object = {}): string =>
  JSON.stringify({
    model: 'claude-opus-4-8',
    max_tokens: 64,
    system: [{ type: 'text', text: `${account} ${long}`, cache_control: { type: 'ephemeral' } }],
    messages: [{ role: 'user', content: question }],
    ...change,
  })

interface Sent {
  text: string
  headers?: Record<string, string>
  order?: Partial<LearningOrder>
  credential?: Called['credential']
  isOwnKey?: boolean
}

async function plan({ text, headers = {}, order = {}, credential = DEFAULT_USE, isOwnKey = false }: Sent) {
  const refused: RefusedByUse[] = []
  const ports: LearnPorts = {
    vars,
    clock: clockFrom({}),
    learningOrder: async () => ({ learn: 'observe', lint: null, salt: SALT, wanted: [], allowedSecrets: [], ...order }),
    registerByUse: async () => null,
    refuseByUse: async (_, why) => refused.push(why),
  }
  const called: Called = {
    provider: 'anthropic',
    region: null,
    model: null,
    headers: new Headers(headers),
    text,
    credential,
  }
  const reading = readCall(called, vars, Date.now())
  if (reading === null) throw new Error('the body cannot be read')
  return { reading, refused, plan: await planned(account, called, isOwnKey, reading, ports) }
}

const NAMED = { 'x-pilotlight-name': 'agent' }
const NOTHING: Plan = { lesson: null, register: null }

describe('planned', () => {
  it('learns hashes alone where nothing is named, and registers what is', async () => {
    const unnamed = await plan({ text: anthropic('one?') })
    expect(unnamed.plan.register).toBeNull()
    expect(unnamed.plan.lesson?.ends).toHaveLength(1)
    expect(JSON.stringify(unnamed.plan)).not.toContain('handbook')
    const named = await plan({ text: anthropic('two?'), headers: NAMED })
    const { registration, entries } = named.plan.register ?? {}
    expect(registration).toMatchObject({ name: 'agent', credential: 'default', keepWarm: null })
    expect(entries).toContain(registration?.lookups?.[0])
  })

  it.each([
    [`plk_acme_${'0'.repeat(12)}`, 'looks like a key'],
    [`sk-${'ant-api03-aB3dE5fG7haB3dE5fG7haB3dE5fG7h'}`, 'looks like a key'],
    ['x'.repeat(201), 'longer than 200'],
    ['', 'blank'],
  ])('takes %s for no label: the account is told, and the call is counted', async (value, why) => {
    const headers = { 'x-pilotlight-name': value }
    const { plan: made, refused } = await plan({ text: anthropic('key?'), headers })
    expect(made.register).toBeNull()
    expect(made.lesson).not.toBeNull()
    expect(refused).toMatchObject([
      { name: null, kind: 'invalid_request', field: 'x-pilotlight-name', message: expect.stringContaining(why) },
    ])
    if (value !== '') expect(JSON.stringify(refused)).not.toContain(value)
    expect((await plan({ text: anthropic('again?'), headers })).refused).toEqual([])
  })

  it('registers without a label where the account registers everything and a label is none', async () => {
    const headers = { 'x-pilotlight-name': 'x'.repeat(201) }
    const { plan: made } = await plan({ text: anthropic('one?'), headers, order: { learn: 'register' } })
    expect(made.register?.registration.name).toBeNull()
  })

  it('registers every prefix of an account that says so, without a label', async () => {
    const { plan: made } = await plan({ text: anthropic('one?'), order: { learn: 'register' } })
    expect(made.register?.registration.name).toBeNull()
  })

  it.each<[string, Omit<Sent, 'text'> & { change?: object }]>([
    ['the caller says so', { headers: { 'x-pilotlight-learn': 'off' } }],
    ['the account says so', { order: { learn: 'off' } }],
    ['a client sent it again', { headers: { 'x-stainless-retry-count': '1' } }],
    ['a subscription paid for it', { credential: SUBSCRIPTION }],
    ['it asks for no output', { change: { max_tokens: 0 } }],
  ])('learns nothing where %s', async (_, { change, headers, ...sent }) => {
    const { plan: made } = await plan({ text: anthropic('one?', change), headers: { ...NAMED, ...headers }, ...sent })
    expect(made).toEqual(NOTHING)
  })

  it('takes the same body, or the same idempotency key, for the same call', async () => {
    expect((await plan({ text: anthropic('one?') })).plan.lesson).not.toBeNull()
    expect((await plan({ text: anthropic('one?'), headers: NAMED })).plan).toEqual(NOTHING)
    const keyed = { 'idempotency-key': account }
    expect((await plan({ text: anthropic('two?'), headers: keyed })).plan.lesson).not.toBeNull()
    expect((await plan({ text: anthropic('three?'), headers: keyed })).plan).toEqual(NOTHING)
  })

  it('refuses a secret once, by its place, whatever the account says of lint', async () => {
    const system = [{ type: 'text', text: `${long} sk-ant-api03-${'aB3dE5fG7h'.repeat(8)}` }]
    const sent = { headers: NAMED, order: { lint: 'off' as const } }
    const { plan: made, refused } = await plan({ text: anthropic('one?', { system }), ...sent })
    expect([made.register, made.lesson === null]).toEqual([null, false])
    expect(refused).toMatchObject([
      { name: 'agent', kind: 'invalid_request', field: expect.stringContaining('system') },
    ])
    // A call that passes has no member of its own to send.
    expect(refused[0]?.message).toMatch(/Nothing of this body was stored\. .*POST \/warm with "lint": "advice"\.$/)
    expect(refused[0]?.message).not.toContain('all the same')
    expect(JSON.stringify(refused)).not.toContain('aB3dE5fG7h')
    expect((await plan({ text: anthropic('two?', { system }), ...sent })).refused).toEqual([])
  })

  it('keeps no key of a caller, and says what that means for keep-alives', async () => {
    const own = { isOwnKey: true, headers: NAMED }
    const none = (await plan({ text: anthropic('one?'), ...own })).plan.register?.registration
    expect(none).toMatchObject({ keepWarm: { plan: 'off' }, credential: 'default' })
    expect(none?.advice.map(({ cause }) => cause)).toContain('no_credential')
  })

  it('cuts the body of a wanted candidate where the candidate ends, also inside of the turns', async () => {
    const messages = [
      { role: 'user', content: `A document. ${long}` },
      { role: 'assistant', content: 'I have read it.' },
      { role: 'user', content: 'one?' },
    ]
    const seen = await plan({ text: anthropic('', { messages }) })
    const ends = seen.plan.lesson?.ends ?? []
    expect(ends).toHaveLength(3)
    for (const [place, { entry, tokens }] of ends.entries()) {
      const id = candidateId(entry, SALT)
      account = `account-${count}-${place}`
      const text = JSON.stringify({
        ...(JSON.parse(anthropic('', { messages })) as object),
        system: JSON.parse(seen.reading.outline.text).system,
      })
      const { plan: made, refused } = await plan({ text, order: { wanted: [{ id, name: 'wanted' }] } })
      expect(refused).toEqual([])
      expect(made.register).toMatchObject({ candidate: id, registration: { name: 'wanted' } })
      expect(made.register?.registration.lookups?.[0]).toBe(entry)
      expect(Math.abs((made.register?.registration.estimatedTokens ?? 0) - tokens)).toBeLessThan(100)
    }
  })
})
