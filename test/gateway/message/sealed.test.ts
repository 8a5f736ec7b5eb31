import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { NO_COUNTS } from '../../../src/core/model/usage.ts'
import { openedMessage, sealedMessage } from '../../../src/gateway/message/sealed.ts'
import type { ObservationMessage, Seen } from '../../../src/gateway/observation.ts'
import { ObservationWindow } from '../../../src/gateway/window.ts'

const SECRETS = { KEY_ENCRYPTION_SECRET: 'a secret of the deployment', ADMIN_KEY: 'the key of its administrator' }

const seen = (account: string, entry = 'eshared'): Seen => ({
  account,
  provider: 'p',
  startedAt: 1_000,
  usage: { ...NO_COUNTS, inputTokens: 10 },
  ttftMs: 3,
  ends: [{ entry }],
  routing: 'the-same-upstream',
  handle: 'cachedContents/a',
  lesson: { model: 'model-of-everybody', session: 4_242, ends: [{ entry: 'elesson', tokens: 9 }], whole: 'ewhole' },
  agents: { self: 'agent-hash', parent: null, endedAt: 2_000 },
})

function messageOf(calls: readonly Seen[]): ObservationMessage {
  const window = new ObservationWindow('iso')
  for (const call of calls) window.add(call, 5, 5)
  const message = window.close(1, 6)
  if (message === null) throw new Error('the window was empty')
  return message
}

/** As it comes out of the queue. */
const delivered = (body: unknown): unknown => JSON.parse(JSON.stringify(body))

it('a message opens as it was, and shows a reader of the queue nothing but accounts', () => {
  const message = messageOf([seen('acme'), seen('rival'), seen('acme', 'eother')])
  const sealed = delivered(sealedMessage(message, SECRETS))
  expect(openedMessage(sealed, SECRETS)).toEqual(message)
  const text = JSON.stringify(sealed)
  for (const shown of ['eshared', 'elesson', 'ewhole', 'upstream', 'cachedContents', 'everybody', '4242', 'agent-hash'])
    expect(text).not.toContain(shown)
  expect(text).toContain('"account":"acme"')
})

it('a message tells nobody whether two accounts, or two messages, hold the same', () => {
  const texts = [['acme', 'rival'], ['acme']].flatMap((accounts) =>
    sealedMessage(messageOf(accounts.map((account) => seen(account))), SECRETS).groups.map(({ sealed }) => sealed),
  )
  const pieces = texts.map(
    (text) => new Set(Array.from({ length: text.length - 15 }, (_, at) => text.slice(at, at + 16))),
  )
  expect(texts).toHaveLength(3)
  // They begin with the fingerprint of the key, which two messages of one account share.
  const [acme, rival, again] = pieces.map((all, n) => ({ all, head: (texts[n] ?? '').slice(0, 12) }))
  expect(acme?.head).toBe(again?.head)
  expect(acme?.head).not.toBe(rival?.head)
  expect(
    [...(acme?.all ?? [])].filter((piece) => rival?.all.has(piece) === true || again?.all.has(piece) === true),
  ).toEqual([])
})

it('a message of the version before is read, and other forms are not', () => {
  const message = messageOf([seen('acme')])
  expect(openedMessage(delivered(message), {})).toEqual(message)
  for (const body of [
    null,
    'x',
    {},
    { v: 2 },
    { ...message, v: 3 },
    { ...message, v: 2 },
    { v: 2, id: 'a', at: 1, groups: [{}] },
  ])
    expect(openedMessage(delivered(body), SECRETS)).toBeNull()
})

it('a message that was changed, or moved to another account, does not open', () => {
  const sealed = sealedMessage(messageOf([seen('acme')]), SECRETS)
  const [group] = sealed.groups
  if (group === undefined) throw new Error('no group')
  const bytes = Buffer.from(group.sealed, 'base64')
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  const plain = Buffer.from(JSON.stringify({ hashes: [], calls: [] })).toString('base64')
  for (const changed of [
    { ...group, account: 'rival' },
    { ...group, sealed: bytes.toString('base64') },
    { ...group, sealed: plain },
  ])
    expect(openedMessage({ ...sealed, groups: [changed] }, SECRETS)).toBeNull()
})

it('a message opens while a secret is being changed, and not with those of another deployment', () => {
  const message = messageOf([seen('acme')])
  const { ADMIN_KEY } = SECRETS
  const next = {
    KEY_ENCRYPTION_SECRET: 'the next secret',
    KEY_ENCRYPTION_SECRET_PREVIOUS: SECRETS.KEY_ENCRYPTION_SECRET,
  }
  expect(openedMessage(sealedMessage(message, SECRETS), next)).toEqual(message)
  expect(openedMessage(sealedMessage(message, { ADMIN_KEY }), { ...next, ADMIN_KEY })).toEqual(message)
  expect(openedMessage(sealedMessage(message, SECRETS), { ADMIN_KEY })).toBeNull()
})

it('a full message stays below the 128 kB of the platform, whatever its hashes are', () => {
  const window = new ObservationWindow('iso')
  let full: ObservationMessage | null = null
  for (let n = 0; full === null; n++) {
    const entries = Array.from({ length: 60 }, () => `e${randomBytes(16).toString('base64url')}`)
    full = window.add({ ...seen('acme'), ends: entries.map((entry) => ({ entry })) }, 5, 5).full
  }
  expect(JSON.stringify(full).length).toBeGreaterThan(60_000)
  expect(JSON.stringify(sealedMessage(full, SECRETS)).length).toBeLessThan(128_000)
})
