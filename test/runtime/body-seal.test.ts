import { describe, expect, it } from 'vitest'
import { rewrapped } from '../../src/runtime/body-seal.ts'
import { areSealed, newBodyKey, openBytes, sealBytes } from '../../src/runtime/sealed-bytes.ts'
import { unwrapBodyKey, wrapBodyKey } from '../../src/runtime/body-seal.ts'
import { pack } from '../../src/runtime/bytes.ts'

const body = pack('You answer questions about the mill.')
const key = newBodyKey()
const thrown = (work: () => unknown): unknown => {
  try {
    work()
  } catch (error) {
    return (error as { kind?: string }).kind
  }
  return 'nothing'
}

describe('sealed bytes', () => {
  it('open with their key in their row, and differ each time', () => {
    const sealed = sealBytes(body, key, 'prefix 1')
    expect(areSealed(sealed)).toBe(true)
    expect(openBytes(sealed, key, 'prefix 1')).toEqual(body)
    expect(sealBytes(body, key, 'prefix 1')).not.toEqual(sealed)
    expect(openBytes(sealBytes(new Uint8Array(), key, 'x'), key, 'x')).toEqual(new Uint8Array())
  })

  it('do not open with another key, in another row, changed, or cut', () => {
    const sealed = sealBytes(body, key, 'prefix 1')
    const changed = sealed.with(20, (sealed[20] ?? 0) ^ 1)
    for (const work of [
      () => openBytes(sealed, newBodyKey(), 'prefix 1'),
      () => openBytes(sealed, key, 'prefix 2'),
      () => openBytes(changed, key, 'prefix 1'),
      () => openBytes(sealed.subarray(0, 20), key, 'prefix 1'),
    ])
      expect(thrown(work)).toBe('not_found')
  })

  it('are told from bodies in clear, which are read as they are', () => {
    expect(areSealed(body)).toBe(false)
    expect(openBytes(body, key, 'prefix 1')).toBe(body)
  })
})

describe('a stored key', () => {
  const now = { KEY_ENCRYPTION_SECRET: 'the secret of this deployment, now' }
  const later = { KEY_ENCRYPTION_SECRET: 'the next secret of this deployment' }
  const both = { ...later, KEY_ENCRYPTION_SECRET_PREVIOUS: now.KEY_ENCRYPTION_SECRET }

  it('is sealed for its account alone, and follows the deployment’s secret', () => {
    const wrapped = wrapBodyKey(key, 'acme', now)
    expect(wrapped).not.toContain(key)
    expect(unwrapBodyKey(wrapped, 'acme', now)).toBe(key)
    expect(thrown(() => unwrapBodyKey(wrapped, 'other', now))).toBe('not_configured')
    expect(thrown(() => unwrapBodyKey(wrapped, 'acme', later))).toBe('not_configured')
    expect(rewrapped(wrapped, 'acme', now)).toBeNull()
    expect(rewrapped(wrapped, 'acme', later)).toBeNull()
    const next = rewrapped(wrapped, 'acme', both) ?? ''
    expect(unwrapBodyKey(next, 'acme', later)).toBe(key)
  })

  it('is plain without a secret, and sealed once there is one', () => {
    for (const vars of [{}, { KEY_ENCRYPTION_SECRET: 'short' }]) {
      const plain = wrapBodyKey(key, 'acme', vars)
      expect(unwrapBodyKey(plain, 'acme', vars)).toBe(key)
      expect(rewrapped(plain, 'acme', vars)).toBeNull()
      expect(unwrapBodyKey(rewrapped(plain, 'acme', now) ?? '', 'acme', now)).toBe(key)
    }
  })
})
