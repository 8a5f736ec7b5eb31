import { beforeEach, describe, expect, it } from 'vitest'
import { nextRetryAt, RETRY_WAITS_MS } from '../../../../src/core/prefix/alert.ts'
import { Outbox } from '../../../../src/durable/registry/account/outbox.ts'
import { webhookSecrets } from '../../../../src/calls/webhook-message.ts'
import { Webhook } from '../../../../src/durable/registry/account/webhook.ts'
import type { DeliveryAttempt } from '../../../../src/durable/registry/account/webhook.ts'
import { registrationNamed } from '../../../support/plain-registration.ts'
import { NOON, planned } from '../../../support/sample.ts'
import { testAccount } from '../../../support/account.ts'
import type { TestAccount } from '../../../support/account.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../../src/core/time/time.ts'

const vars = { KEY_ENCRYPTION_SECRET: 'the secret that the tests seal with' }
const URL = 'https://hooks.example.com/pilotlight'

let account: TestAccount
let outbox: Outbox
let webhook: Webhook
let generation: number

/** Builds every part from the tables again, as the object does after an eviction. */
function evict(): void {
  account.evict()
  outbox = new Outbox(account.store.outbox, 1_000)
  webhook = new Webhook(account.store, outbox, 'acme', vars)
}

beforeEach(() => {
  generation = 1
  account = testAccount({ generationOf: () => generation })
  evict()
})

/** Registers plans that use a credential, and that stop when it is replaced. */
function registerAll(count: number): void {
  for (let n = 0; n < count; n++)
    account.registrar.register(
      registrationNamed(`${generation}-${n}`, planned('always'), {
        credential: 'team',
        credentialGeneration: generation,
      }),
      NOON,
    )
}

function stopAll(at: number): void {
  generation += 1
  account.registrar.replanAll(at, 'team')
}

/** Makes a webhook, and one message that waits. */
function queueOne(): void {
  webhook.put({ url: URL, rotate: false }, NOON)
  registerAll(1)
  stopAll(NOON + MINUTE_MS)
}

/** The one message that is due. */
function take(at: number): DeliveryAttempt {
  const [one, ...more] = webhook.take(at)
  if (one === undefined || more.length > 0) throw new Error(`${more.length + 1} messages were due`)
  return one
}

function fail({ seq, attempt }: DeliveryAttempt, at: number, final = false): void {
  webhook.settle({ seq, attempt, why: 'the endpoint answered 500', final }, at)
}

function deliver({ seq, attempt }: DeliveryAttempt, at: number): void {
  webhook.settle({ seq, attempt, why: null, final: false }, at)
}

describe('plans that stop', () => {
  it('together are one message, which lists some and counts all', () => {
    webhook.put({ url: URL, rotate: false }, NOON)
    registerAll(30)
    stopAll(NOON + MINUTE_MS)
    expect(webhook.take(NOON + MINUTE_MS + 9_999)).toEqual([])
    const message = take(NOON + MINUTE_MS + 10_000)
    expect(message).toMatchObject({ count: 30, id: expect.stringMatching(/^msg_[0-9a-f]{24}$/) })
    expect(new Set(message.stops.map(({ prefixId }) => prefixId)).size).toBe(20)
    expect(message.stops[0]).toMatchObject({ reason: 'credential_replaced', provider: 'sample', at: NOON + MINUTE_MS })
  })

  it('after a message was taken begin another message', () => {
    queueOne()
    const first = take(NOON + 2 * MINUTE_MS)
    registerAll(2)
    stopAll(NOON + 2 * MINUTE_MS)
    const second = take(NOON + 2 * MINUTE_MS + 10_000)
    expect([first.count, second.count]).toEqual([1, 2])
    expect(second.id).not.toBe(first.id)
  })

  it('make a message only if the stop itself is committed', () => {
    webhook.put({ url: URL, rotate: false }, NOON)
    registerAll(1)
    expect(() =>
      account.store.transaction(() => {
        stopAll(NOON + MINUTE_MS)
        throw new Error('the disk is full')
      }),
    ).toThrow('the disk is full')
    expect(webhook.view()).toMatchObject({ waiting: 0 })
    account.registrar.replanAll(NOON + 2 * MINUTE_MS, 'team')
    expect(webhook.view()).toMatchObject({ waiting: 1 })
  })

  it('store nothing where there is no webhook', () => {
    registerAll(1)
    stopAll(NOON + MINUTE_MS)
    webhook.put({ url: URL, rotate: false }, NOON + 2 * MINUTE_MS)
    expect(webhook.view()).toMatchObject({ waiting: 0, undeliverable: 0 })
    expect(account.store.outbox.nextAt()).toBeNull()
  })

  it('do not fill the database: the oldest messages to a dead endpoint are given up', () => {
    webhook.put({ url: URL, rotate: false }, NOON)
    for (let n = 0; n < 230; n++) {
      registerAll(1)
      stopAll(NOON + n * MINUTE_MS)
      account.store.outbox.save({ ...account.store.outbox.load(n + 1)!, tries: 1, wakeAt: NOON + DAY_MS })
    }
    expect(webhook.view()).toMatchObject({ waiting: 100, undeliverable: 130 })
    outbox.age(NOON + DAY_MS)
    expect(webhook.view()).toMatchObject({ waiting: 100, undeliverable: 100 })
  })
})

describe('a message', () => {
  it('has one attempt at a time, and the same id and text in each attempt', () => {
    queueOne()
    const at = NOON + 2 * MINUTE_MS
    const first = take(at)
    expect(webhook.take(at + 1_000)).toEqual([])
    evict()
    expect(webhook.take(at + 1_000)).toEqual([])
    // The attempt was lost with the object: once its time is over, another one is made.
    expect(account.store.outbox.nextAt()).toBe(at + 30_000)
    const second = take(at + 30_000)
    expect({ ...second, attempt: 1 }).toEqual(first)
    expect(account.store.outbox.load(second.seq)?.failures).toBe(1)
    // The outcome of the first attempt comes too late to count.
    fail(first, at + 31_000)
    expect(webhook.view()?.lastFailure).toBeNull()
    deliver(second, at + 31_000)
    expect(webhook.view()).toMatchObject({ waiting: 0, delivered: 1, lastDeliveredAt: at + 31_000 })
    expect(webhook.take(at + DAY_MS)).toEqual([])
  })

  it('waits while two others are in flight', () => {
    webhook.put({ url: URL, rotate: false }, NOON)
    const at = NOON + HOUR_MS
    for (let n = 0; n < 4; n++) {
      registerAll(1)
      stopAll(at)
      account.store.outbox.save({ ...account.store.outbox.load(n + 1)!, tries: 1, wakeAt: at })
    }
    const [one, two, ...more] = webhook.take(at)
    expect([one?.seq, two?.seq, more]).toEqual([1, 2, []])
    expect(account.store.outbox.nextAt()).toBe(at + 5_000)
    expect(webhook.take(at + 5_000)).toEqual([])
    deliver(one!, at + 6_000)
    expect(take(at + 10_000).seq).toBe(3)
  })

  it('to a dead endpoint is tried for a day across evictions, then given up and shown', () => {
    queueOne()
    let at = NOON + 2 * MINUTE_MS
    const ids = new Set<string>()
    for (let attempt = 1; attempt <= RETRY_WAITS_MS.length + 1; attempt++) {
      evict()
      const delivery = take(at)
      ids.add(delivery.id)
      expect(delivery.attempt).toBe(attempt)
      evict()
      fail(delivery, at)
      const next = account.store.outbox.nextAt()
      if (attempt <= RETRY_WAITS_MS.length) {
        expect(next).toBeGreaterThanOrEqual(nextRetryAt(attempt, at, 0) ?? 0)
        expect(next).toBeLessThanOrEqual(nextRetryAt(attempt, at, 1) ?? 0)
      } else expect(next).toBeNull()
      at = next ?? at
    }
    expect(ids.size).toBe(1)
    expect(at).toBeGreaterThan(NOON + 18 * HOUR_MS)
    expect(webhook.view()).toMatchObject({
      waiting: 0,
      undeliverable: 1,
      lastFailure: { at, why: 'the endpoint answered 500' },
    })
    // The address is corrected: what was not delivered is tried again.
    webhook.put({ url: `${URL}/new`, rotate: false }, at + HOUR_MS)
    const last = take(at + HOUR_MS)
    expect(last).toMatchObject({ id: [...ids][0], target: { url: `${URL}/new` } })
    deliver(last, at + HOUR_MS)
    expect(webhook.view()).toMatchObject({ waiting: 0, undeliverable: 0, lastFailure: null })
  })

  it('is given up too when no attempt reports its outcome', () => {
    queueOne()
    for (let n = 0, at = NOON + HOUR_MS; n < RETRY_WAITS_MS.length + 1; n++, at += HOUR_MS) take(at)
    expect(webhook.take(NOON + DAY_MS)).toEqual([])
    expect(webhook.view()).toMatchObject({ waiting: 0, undeliverable: 1 })
  })

  it('is given up at once where the endpoint is gone, and deleted after a month', () => {
    queueOne()
    const at = NOON + 2 * MINUTE_MS
    fail(take(at), at, true)
    expect(webhook.view()).toMatchObject({ waiting: 0, undeliverable: 1 })
    outbox.age(at + 29 * DAY_MS)
    expect(webhook.view()?.undeliverable).toBe(1)
    outbox.age(at + 31 * DAY_MS)
    expect(webhook.view()?.undeliverable).toBe(0)
  })

  it('is deleted with the webhook', () => {
    queueOne()
    expect(webhook.remove()).toBe(true)
    expect(webhook.remove()).toBe(false)
    expect([webhook.view(), account.store.outbox.nextAt(), webhook.take(NOON + HOUR_MS)]).toEqual([null, null, []])
  })
})

describe('the signing secret', () => {
  const secretsAt = (at: number): string[] => {
    const target = webhook.target(at)
    return target === null ? [] : webhookSecrets(target, vars)
  }

  it('is shown once, and the former secret signs for another day', () => {
    const { secret: first } = webhook.put({ url: URL, rotate: false }, NOON)
    expect(first).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    expect(webhook.put({ url: `${URL}/2`, rotate: false }, NOON + MINUTE_MS).secret).toBeNull()
    expect(secretsAt(NOON + MINUTE_MS)).toEqual([first])
    const { secret: second } = webhook.put({ url: URL, rotate: true }, NOON + HOUR_MS)
    evict()
    expect(secretsAt(NOON + HOUR_MS)).toEqual([second, first])
    expect(secretsAt(NOON + HOUR_MS + DAY_MS)).toEqual([second])
    expect(first).not.toBe(second)
    const rows = JSON.stringify(account.sql.all("SELECT value FROM setting WHERE name = 'webhook'"))
    for (const one of [first, second]) expect(rows).not.toContain(one?.slice('whsec_'.length, 20))
  })

  it('is sealed again under the next key-encryption secret', () => {
    const { secret } = webhook.put({ url: URL, rotate: false }, NOON)
    const after = {
      KEY_ENCRYPTION_SECRET: 'another secret to seal with',
      KEY_ENCRYPTION_SECRET_PREVIOUS: vars.KEY_ENCRYPTION_SECRET,
    }
    const next = new Webhook(account.store, outbox, 'acme', after)
    expect(next.view()?.sealedWith).toBe('previous')
    next.reseal(NOON + HOUR_MS)
    expect(next.view()?.sealedWith).toBe('current')
    const target = next.target(NOON + HOUR_MS)
    expect(
      target === null ? [] : webhookSecrets(target, { KEY_ENCRYPTION_SECRET: after.KEY_ENCRYPTION_SECRET }),
    ).toEqual([secret])
  })

  it('does not open in another account', () => {
    webhook.put({ url: URL, rotate: false }, NOON)
    const target = webhook.target(NOON)
    expect(() => target && webhookSecrets({ ...target, account: 'other' }, vars)).toThrow(/cannot decrypt/)
  })
})
