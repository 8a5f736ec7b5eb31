import { expect, it } from 'vitest'
import { BodyCredentials } from '../../../../src/durable/registry/prefixes/body-credentials.ts'
import { openedCredentials, sealedWith } from '../../../../src/runtime/seal.ts'
import type { Vars } from '../../../../src/runtime/env.ts'
import { NOON } from '../../../support/sample.ts'
import { TestAccount } from '../../../support/account.ts'
import { anthropicBody, registrationOf } from '../../../support/registration.ts'

const [OLD, NEW] = ['the first key-encryption secret', 'the second key-encryption secret']
const rotated = { KEY_ENCRYPTION_SECRET: NEW, KEY_ENCRYPTION_SECRET_PREVIOUS: OLD }
const after = { KEY_ENCRYPTION_SECRET: NEW }

it('credentials of bodies are sealed again under the next secret, each for its own prefix', () => {
  const account = new TestAccount({})
  const registered = ['one', 'two', 'bare'].map((tag) =>
    account.registrar.register(registrationOf('anthropic', anthropicBody(tag), null), NOON),
  )
  const [one, two] = registered.map(({ k }) => {
    const record = account.store.prefixes.record(k)
    if (record === null) throw new Error('the prefix is not stored')
    return { k, record }
  })
  if (one === undefined || two === undefined) throw new Error('two prefixes are registered')
  const under = (vars: Vars) => new BodyCredentials(account.store, 'test', vars)
  for (const { k, record } of [one, two]) under({ KEY_ENCRYPTION_SECRET: OLD }).put(k, record, [`token of ${k}`])
  const sealed = () => account.store.bodyCredentials.all().map((row) => row.sealed)
  expect(sealed().map((text) => sealedWith(text, rotated))).toEqual(['previous', 'previous'])
  under(rotated).reseal()
  expect(sealed().map((text) => sealedWith(text, after))).toEqual(['current', 'current'])
  for (const { k, record } of [one, two]) {
    const found = under(after).of(k, record)
    expect(found === null ? null : openedCredentials(found, after)).toEqual([`token of ${k}`])
  }
  const moved = under(after).of(one.k, two.record)
  expect(() => (moved === null ? null : openedCredentials(moved, after))).toThrow('cannot decrypt')
  const before = sealed()
  under(rotated).reseal()
  expect(sealed()).toEqual(before)
})
