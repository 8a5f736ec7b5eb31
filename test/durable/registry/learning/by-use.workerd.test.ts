import { beforeEach, describe, expect, it } from 'vitest'
import type { Arrival } from '../../../../src/core/events/arrived.ts'
import { NO_COUNTS } from '../../../../src/core/model/usage.ts'
import type { PassedBody } from '../../../../src/registration/by-use/lesson.ts'
import { registryAt } from '../../../../src/runtime/objects.ts'
import { anthropicBody, registrationOf } from '../../../support/registration.ts'
import { ADMIN, bindings, call, newAccount } from '../../../http/support.ts'

let id = ''
beforeEach(async () => {
  ;({ id } = await newAccount())
})

const registry = () => registryAt(bindings, id)
const wrote = (at: number): Arrival => ({
  startedAt: at,
  ttftMs: null,
  bytes: 'same',
  usage: {
    ...NO_COUNTS,
    inputTokens: 5_010,
    uncachedTokens: 10,
    cacheReadTokens: 0,
    cacheWriteTokens: 5_000,
    outputTokens: 9,
  },
})

function passed(tag: string, name: string | null, change: Partial<PassedBody> = {}): PassedBody {
  const registration = { ...registrationOf('anthropic', anthropicBody(tag), null, name), lookups: [`e${id}-${tag}`] }
  return { registration, entries: [`e${id}-${tag}`], arrival: wrote(Date.now()), candidate: null, ...change }
}

describe('registerByUse', () => {
  it('believes that the call wrote the prefix when it began, without a receipt of ours', async () => {
    const at = Date.now() - 20_000
    const done = await registry().registerByUse(passed('one', 'agent', { arrival: wrote(at) }))
    expect(done).toMatchObject({ created: true, booked: true, entry: `e${id}-one` })
    const { record, state } = await registry().view(done?.id ?? '')
    expect([record.name, record.createdAt]).toEqual(['agent', at])
    expect(state).toMatchObject({ verdict: 'warm', anchorAt: at, lastReceipt: null, lastArrivalAt: at })
  })

  it('leaves a body to the prefix of its label that it begins with, else makes a new version', async () => {
    const one = await registry().registerByUse(passed('one', 'agent'))
    const longer = passed('longer', 'agent', { entries: [`e${id}-longer`, `e${id}-one`] })
    expect(await registry().registerByUse(longer)).toMatchObject({ id: one?.id, created: false, booked: false })
    const unnamed = passed('longer', null, { entries: [`e${id}-longer`, `e${id}-one`] })
    expect(await registry().registerByUse(unnamed)).toMatchObject({ id: one?.id, booked: false })
    const other = await registry().registerByUse(passed('other', 'agent'))
    expect(other?.id).not.toBe(one?.id)
    expect((await registry().view(other?.id ?? '')).record).toMatchObject({ version: 2, superseded: false })
  })

  it('keeps the plan that somebody chose for a prefix', async () => {
    const done = await registry().registerByUse(passed('one', 'agent'))
    const { keepWarm } = (await registry().view(done?.id ?? '')).record
    await registry().change(done?.id ?? '', { keepWarm: { ...keepWarm, plan: 'always' } })
    const off = passed('one', 'another')
    off.registration.keepWarm = { ...keepWarm, plan: 'off' }
    expect(await registry().registerByUse(off)).toMatchObject({ id: done?.id, created: false, booked: true })
    expect((await registry().view(done?.id ?? '')).record.keepWarm.plan).toBe('always')
  })

  it('registers nothing that nobody wants any more', async () => {
    expect(await registry().registerByUse(passed('one', null, { candidate: 'cnd_0123456789abcdef' }))).toBeNull()
    await call('PATCH', `/accounts/${id}`, { learn: 'off' }, { key: ADMIN })
    expect(await registry().registerByUse(passed('one', 'agent'))).toBeNull()
    expect((await registry().counts()).prefixes).toBe(0)
  })
})
