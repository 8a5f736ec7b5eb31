import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { asksToDrain, forbidsLearning, labelIn, withFaults } from '../../../src/gateway/request/own-headers.ts'

const URL = 'https://pilotlight.test/via/openai/v1/responses'
const told = (headers: Record<string, string> | [string, string][], url = URL) =>
  withFaults('a call to a model', { headers: new Headers(headers), url })

const KEY = `plk_acme_${'0'.repeat(12)}_${'0'.repeat(72)}`

describe('the reason of an answer', () => {
  it.each<[string, string]>([
    ['x-pilotlight-name', 'support agent'],
    ['x-pilotlight-name', 'x'.repeat(200)],
    ['x-pilotlight-name', 'ünïcode'],
    ['x-pilotlight-learn', ' OFF '],
    ['x-pilotlight-on-disconnect', 'Drain'],
    ['x-pilotlight-on-disconnect', 'abort'],
    ['x-pilotlight-lifetime', 'One_Shot'],
    ['x-pilotlight-session', 'x'.repeat(512)],
    ['x-pilotlight-parent', 'lead'],
    ['x-pilotlight-diagnose', 'on'],
    ['x-pilotlight-diagnose', ' Off '],
    ['x-pilotlight-key', KEY],
    ['x-pilotlight-credential', 'team'],
    ['x-other', ''],
  ])('says nothing of %s: %s', (name, value) => {
    expect(told({ [name]: value })).toBe('a call to a model')
  })

  it.each<[string, string, string]>([
    ['x-pilotlight-name', '', 'is ignored: it is blank'],
    ['x-pilotlight-name', '   ', 'is ignored: it is blank'],
    ['x-pilotlight-name', 'x'.repeat(201), 'is ignored: it is longer than 200 characters'],
    ['x-pilotlight-name', 'a\tb', 'is ignored: it has control characters'],
    ['x-pilotlight-name', KEY, 'is ignored: it looks like a key'],
    ['x-pilotlight-name', `sk-${'ant-api03-aB3dE5fG7haB3dE5fG7haB3dE5fG7h'}`, 'is ignored: it looks like a key'],
    ['x-pilotlight-learn', 'false', 'is taken for off: it must be off'],
    ['x-pilotlight-learn', '', 'is taken for off: it is blank'],
    ['x-pilotlight-on-disconnect', 'drian', 'is ignored: it must be abort or drain'],
    ['x-pilotlight-diagnose', 'yes', 'is ignored: it must be on or off'],
    ['x-pilotlight-diagnose', '', 'is ignored: it is blank'],
    ['x-pilotlight-lifetime', 'one-shot', 'is ignored: it must be one_shot or interactive'],
    ['x-pilotlight-session', 'x'.repeat(513), 'is ignored: it is longer than 512 characters'],
    ['x-pilotlight-session', '', 'is ignored: it is blank'],
    ['x-pilotlight-parent', 'x'.repeat(513), 'is ignored: it is longer than 512 characters'],
    ['x-pilotlight-nmae', 'support', 'is ignored: it is not known'],
    ['x-pilotlight-constructor', 'x', 'is ignored: it is not known'],
  ])('names %s: %s', (name, value, what) => {
    expect(told({ [name]: value })).toBe(`a call to a model; ${name} ${what}`)
  })

  it('names a barrier that a body of unknown length cannot wait at', () => {
    const what = 'a call to a model; x-pilotlight-barrier is ignored: the length of its body is not stated'
    expect(told({ 'x-pilotlight-barrier': 'on' })).toBe(what)
    expect(told({ 'x-pilotlight-barrier': 'on', 'content-length': '12' })).toBe('a call to a model')
    expect(told({ 'x-pilotlight-barrier': 'off' })).toBe('a call to a model')
    expect(told({ 'x-pilotlight-barrier': 'yes' })).toMatch(/it must be on or off$/)
  })

  it('names a credential that a key of the provider beside it leaves unused', () => {
    const what = 'a call to a model; x-pilotlight-credential is ignored: the call carries a key of the provider'
    const named = { 'x-pilotlight-credential': 'team' }
    expect(told({ ...named, authorization: 'Bearer sk-own' })).toBe(what)
    expect(told(named, `${URL}?key=AIza`)).toBe(what)
    expect(told({ ...named, authorization: `Bearer ${KEY}` })).toBe('a call to a model')
    expect(told({ ...named, authorization: 'AWS4-HMAC-SHA256 Credential=x' })).toBe('a call to a model')
  })

  it('quotes no value, and stays short and a header of one line', () => {
    const all = Array.from(
      { length: 40 },
      (_, n) => [`x-pilotlight-${'y'.repeat(200)}${n}`, 'a secret'] as [string, string],
    )
    const reason = told([...all, ['x-pilotlight-lifetime', 'a secret'], ['x-pilotlight-name', KEY]])
    expect(reason).toMatch(/; 37 more headers are not understood$/)
    expect(reason).not.toContain('secret')
    expect(reason).not.toContain('plk_')
    expect(reason.length).toBeLessThan(1_000)
    expect(reason).toMatch(/^[\x20-\x7e]+$/)
    expect(reason).not.toContain('"')
  })

  it('knows every header of ours that the source reads', () => {
    const folder = join(import.meta.dirname, '../../../src')
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
    const texts = files.map((name) => readFileSync(join(folder, name), 'utf8'))
    const read = new Set(
      texts.flatMap((text) => [...text.matchAll(/'(x-pilotlight-[a-z-]+[a-z])'/g)].map(([, name]) => name)),
    )
    expect([...read]).toContain('x-pilotlight-name')
    const answers = ['x-pilotlight-prefix', 'x-pilotlight-verdict', 'x-pilotlight-warmth']
    const unknown = [...read].filter((name = '') => told({ [name]: 'x' }).includes('it is not known'))
    expect(unknown.filter((name = '') => !answers.includes(name))).toEqual([])
  })
})

it('a label is taken without the spaces around it, and none where something is wrong with it', () => {
  const label = (value?: string) => labelIn(new Headers(value === undefined ? {} : { 'x-pilotlight-name': value }))
  expect(label(' agent ')).toEqual({ name: 'agent', fault: null })
  expect(label()).toEqual({ name: null, fault: null })
  expect(label('x'.repeat(201)).name).toBeNull()
})

it('words are read in any case, and a wish to learn nothing also where its word is not known', () => {
  expect(asksToDrain(new Headers({ 'x-pilotlight-on-disconnect': 'DRAIN' }))).toBe(true)
  expect(asksToDrain(new Headers({ 'x-pilotlight-on-disconnect': 'drains' }))).toBe(false)
  expect(asksToDrain(new Headers())).toBe(false)
  expect(['off', 'no'].map((value) => forbidsLearning(new Headers({ 'x-pilotlight-learn': value })))).toEqual([
    true,
    true,
  ])
  expect(forbidsLearning(new Headers())).toBe(false)
})
