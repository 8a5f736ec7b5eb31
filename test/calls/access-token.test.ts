import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Sent } from '../../src/providers/transport/send.ts'
import { cardById } from '../../src/providers/registry.ts'
import { TOKEN_URL } from '../../src/providers/transport/service-account.ts'
import { sendWith } from '../../src/calls/access-token.ts'
import type { Sending, SentWith } from '../../src/calls/access-token.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { createLab } from '../lab/index.ts'
import type { Lab } from '../lab/index.ts'
import { serviceAccountKey } from '../support/service-account.ts'
import type { MadeKey } from '../support/service-account.ts'
import { MINUTE_MS } from '../../src/core/time/time.ts'

const NOON = Date.UTC(2026, 10, 16, 12)
const card = cardById('vertex')!

let now = NOON
const clock: Clock = {
  now: () => now,
  rate: 1,
  realMs: (ms) => ms,
  realAt: (at) => at,
  sleep: () => Promise.resolve(),
  grainMs: 1_000,
}
let lab: Lab
let asked: { url: string; body: string }[] = []
let key: MadeKey
/** Answer of the token endpoint in place of the lab's. */
let answering: ((ask: () => Promise<Response>) => Promise<Response>) | null = null

beforeEach(() => {
  now = NOON
  asked = []
  answering = null
  key = serviceAccountKey()
  lab = createLab({ now: () => now, sleep: () => Promise.resolve(), latency: 'off' })
  lab.addServiceAccount(key.email, key.publicKey)
  vi.spyOn(globalThis, 'fetch').mockImplementation((input, init) => {
    asked.push({ url: String(input), body: String(init?.body) })
    const ask = (): Promise<Response> =>
      lab.fetch(new Request('http://lab.test/vertex/token', { ...init, signal: null }))
    return answering === null ? ask() : answering(ask)
  })
})

afterEach(() => {
  vi.restoreAllMocks()
})

const OK: Sent = { kind: 'answered', status: 200, headers: new Headers(), text: '{}' }
const UNAUTHENTICATED: Sent = { ...OK, status: 401 }

/** Sends once. Returns the credentials that the provider got, and the result. */
async function send(change: Partial<Sending> = {}, answers: Sent[] = []): Promise<{ one: SentWith; shown: string[] }> {
  const shown: string[] = []
  const sending = { access: { card, tokenUrl: TOKEN_URL }, credential: key.file, clock, timeoutMs: 30_000, ...change }
  const one = await sendWith(sending, (presented) => {
    shown.push(presented)
    return Promise.resolve(answers.shift() ?? OK)
  })
  return { one, shown }
}

describe('a service-account key', () => {
  it('is exchanged at Google alone, with a valid assertion; the key itself is never sent', async () => {
    const { one, shown } = await send()
    expect(one.kind).toBe('sent')
    expect(shown).toEqual([expect.stringMatching(/^ya29\./)])
    expect(asked.map(({ url }) => url)).toEqual(['https://oauth2.googleapis.com/token'])
    const assertion = new URLSearchParams(asked[0]?.body).get('assertion') ?? ''
    const claims = JSON.parse(Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString()) as object
    expect(claims).toEqual({
      iss: key.email,
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      aud: 'https://oauth2.googleapis.com/token',
      iat: NOON / 1_000,
      exp: NOON / 1_000 + 3_600,
    })
    expect(asked[0]?.body + shown.join()).not.toContain('PRIVATE')
  })

  it('is exchanged once for an hour’s calls, and again before the token ends', async () => {
    const first = (await send()).shown
    now += 57 * MINUTE_MS
    expect((await send()).shown).toEqual(first)
    expect(asked).toHaveLength(1)
    now += 2 * MINUTE_MS
    const second = (await send()).shown
    expect(second).not.toEqual(first)
    expect(asked).toHaveLength(2)
  })

  it('is exchanged once for calls that come together', async () => {
    const sent = await Promise.all([send(), send(), send()])
    expect(asked).toHaveLength(1)
    expect(new Set(sent.flatMap(({ shown }) => shown)).size).toBe(1)
  })

  it('does not wait for another invocation’s exchange that never ends', async () => {
    const never = new Promise<Response>(() => {})
    let first = true
    answering = (ask) => {
      if (!first) return ask()
      first = false
      return never
    }
    const stuck = send({ timeoutMs: 3_000 })
    const { shown } = await send({ timeoutMs: 1_000 })
    expect(shown).toHaveLength(1)
    expect(asked).toHaveLength(2)
    answering = null
    expect((await stuck).one.kind).not.toBe('sent')
  })

  it('gives tokens of its own: another key’s are not used', async () => {
    const other = serviceAccountKey()
    lab.addServiceAccount(other.email, other.publicKey)
    const mine = (await send()).shown
    expect((await send({ credential: other.file })).shown).not.toEqual(mine)
  })

  it('is exchanged once more when its token is refused, and not again', async () => {
    const before = (await send()).shown
    const renewed = await send({}, [UNAUTHENTICATED])
    expect(renewed.shown).toEqual([before[0], expect.stringMatching(/^ya29\./)])
    expect(renewed.shown[1]).not.toBe(before[0])
    expect(renewed.one).toMatchObject({ kind: 'sent', sent: { status: 200 } })
    expect((await send()).shown).toEqual([renewed.shown[1]])
    const refused = await send({}, [UNAUTHENTICATED, UNAUTHENTICATED, OK])
    expect(refused.shown).toHaveLength(2)
    expect(refused.one).toMatchObject({ kind: 'sent', sent: { status: 401 } })
  })

  it('is refused for good when Google does not know it, without Google’s own text', async () => {
    const { one, shown } = await send({ credential: serviceAccountKey().file })
    expect(shown).toEqual([])
    expect(one).toEqual({
      kind: 'no_token',
      permanent: true,
      failure: {
        kind: 'provider_key_refused',
        message: 'Google issued no access token for the service-account key.',
        detail: { status: 400, type: 'invalid_grant' },
      },
    })
  })

  it('is refused when its assertion was signed with another private key', async () => {
    const forged = serviceAccountKey({ client_email: key.email })
    expect((await send({ credential: forged.file })).one).toMatchObject({ kind: 'no_token', permanent: true })
  })

  it.each([
    ['no RSA key', { private_key: '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n' }],
    ['of another type', { type: 'authorized_user' }],
    ['without an address', { client_email: 7 }],
    ['of another universe', { universe_domain: 'evil.test' }],
  ])('%s is refused before anything is asked', async (_, change) => {
    const { one, shown } = await send({ credential: serviceAccountKey(change).file })
    expect(one).toMatchObject({ kind: 'no_token', permanent: true, failure: { kind: 'provider_key_refused' } })
    expect(JSON.stringify(one)).not.toContain('AAAA')
    expect([asked.length, shown.length]).toEqual([0, 0])
  })

  it.each([
    ['busy', () => new Response('{"error":"internal_failure"}', { status: 503 }), 'provider_unavailable'],
    ['rate limited', () => new Response('{}', { status: 429 }), 'provider_limited'],
    ['a page', () => new Response('<html>', { status: 404 }), 'provider_unavailable'],
    ['a redirect', () => new Response(null, { status: 302 }), 'unreadable_answer'],
    ['no token', () => new Response('{"expires_in":3599}'), 'unreadable_answer'],
    ['a token of no known life', () => new Response('{"access_token":"ya29.x"}'), 'unreadable_answer'],
  ])(
    'meets a token endpoint that answers with %s: nothing is sent, and a later call may do better',
    async (_, made, kind) => {
      answering = () => Promise.resolve(made())
      const { one, shown } = await send()
      expect(one).toMatchObject({ kind: 'no_token', permanent: false, failure: { kind } })
      expect(shown).toEqual([])
      answering = null
      expect((await send()).shown).toHaveLength(1)
    },
  )

  it('leads to no call when its exchange took all of the call’s time', async () => {
    answering = async (ask) => {
      const answer = await ask()
      now += 31_000
      return answer
    }
    expect(await send()).toMatchObject({ one: { kind: 'late' }, shown: [] })
    answering = async (ask) => {
      const answer = await ask()
      now += 4_000
      return answer
    }
    now += 60 * MINUTE_MS
    expect(await send({ sendBy: now + 3_000 })).toMatchObject({ one: { kind: 'late' }, shown: [] })
  })
})

describe('another credential', () => {
  it('is sent as it is', async () => {
    expect((await send({ credential: 'ya29.of-ours' })).shown).toEqual(['ya29.of-ours'])
    expect(asked).toEqual([])
  })

  it('is not exchanged, though it is a key file, for a provider that takes no such keys', async () => {
    const anthropic = cardById('anthropic')!
    const { shown } = await send({ access: { card: anthropic, tokenUrl: null } })
    expect(shown).toEqual([key.file]) // the provider refuses it
    expect(asked).toEqual([])
  })
})
