import { describe, expect, it } from 'vitest'
import { readFailure } from '../../src/contract/failure.ts'
import { seal, sealedWith, unseal } from '../../src/runtime/seal.ts'

const OLD = 'the first key-encryption secret'
const NEW = 'the second key-encryption secret'
const old = { KEY_ENCRYPTION_SECRET: OLD }
const rotated = { KEY_ENCRYPTION_SECRET: NEW, KEY_ENCRYPTION_SECRET_PREVIOUS: OLD }
const done = { KEY_ENCRYPTION_SECRET: NEW }
const to = { account: 'acme', name: 'team', generation: 1, host: 'api.example.com' }
const SECRET = 'sk-very-secret-0123456789'

function kindOf(work: () => unknown): string | undefined {
  try {
    work()
  } catch (thrown) {
    return readFailure(thrown)?.kind
  }
  return 'nothing was thrown'
}

describe('sealing', () => {
  it('unseals to the same text, for the same row only', () => {
    const sealed = seal(SECRET, to, old)
    expect(unseal(sealed, to, old)).toBe(SECRET)
    const others = [{ account: 'other' }, { name: 'other' }, { generation: 2 }, { host: 'evil.example.com' }]
    for (const other of others) expect(kindOf(() => unseal(sealed, { ...to, ...other }, old))).toBe('not_configured')
  })

  it('shows nothing of the secret, and never the same text twice', () => {
    const [one, two] = [seal(SECRET, to, old), seal(SECRET, to, old)]
    expect(one).not.toBe(two)
    for (const sealed of [one, two]) {
      expect(sealed).not.toContain(SECRET)
      expect(Buffer.from(sealed.split('.')[3] ?? '', 'base64url').toString('latin1')).not.toContain(SECRET.slice(0, 8))
    }
  })

  it('notices a single changed character', () => {
    const sealed = seal(SECRET, to, old)
    for (let at = 0; at < sealed.length; at += 5) {
      const other = sealed[at] === 'A' ? 'B' : 'A'
      const changed = sealed.slice(0, at) + other + sealed.slice(at + 1)
      let opened: string | null = null
      try {
        opened = unseal(changed, to, old)
      } catch (thrown) {
        expect(readFailure(thrown)?.kind).toBe('not_configured')
      }
      expect(
        opened === null ||
          Buffer.from(changed.split('.')[3] ?? '', 'base64url').equals(
            Buffer.from(sealed.split('.')[3] ?? '', 'base64url'),
          ),
      ).toBe(true)
    }
  })
})

describe('rotation', () => {
  it('unseals texts of the previous secret, seals with the new one, then needs only the new one', () => {
    const before = seal(SECRET, to, old)
    expect(sealedWith(before, rotated)).toBe('previous')
    const again = seal(unseal(before, to, rotated), to, rotated)
    expect(sealedWith(again, rotated)).toBe('current')
    expect(unseal(again, to, done)).toBe(SECRET)
    expect(sealedWith(before, done)).toBe('unknown')
    expect(kindOf(() => unseal(before, to, done))).toBe('not_configured')
  })

  it('says which secret is missing or too short, and repeats none', () => {
    for (const vars of [{}, { KEY_ENCRYPTION_SECRET: ' ' }, { KEY_ENCRYPTION_SECRET: 'short' }]) {
      let message = ''
      try {
        seal(SECRET, to, vars)
      } catch (thrown) {
        message = readFailure(thrown)?.message ?? ''
      }
      expect(message).toContain('KEY_ENCRYPTION_SECRET')
      expect(message).not.toContain(SECRET)
      expect(message).not.toContain('short.')
    }
    expect(
      unseal(seal(SECRET, to, { KEY_ENCRYPTION_SECRET: 'short', ENVIRONMENT: 'development' }), to, {
        KEY_ENCRYPTION_SECRET: 'short',
        ENVIRONMENT: 'development',
      }),
    ).toBe(SECRET)
  })
})
