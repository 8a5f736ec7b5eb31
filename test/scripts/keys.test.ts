import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { developmentKeys, readKeys, stateName } from '../../scripts/start/keys.ts'

describe('which providers are real', () => {
  it('lets the lab stand for all of them without keys', () => {
    expect(readKeys('')).toMatchObject({
      real: [],
      lab: ['anthropic', 'openai', 'openai-chat', 'gemini'],
      accountKey: developmentKeys.account,
      own: { adminKey: false, accountKey: false, seal: false },
    })
  })

  it('takes a provider as real when its key is there, in both of its wire formats', () => {
    expect(readKeys('OPENAI_API_KEY="sk-x"\n')).toMatchObject({
      real: ['openai', 'openai-chat'],
      lab: ['anthropic', 'gemini'],
    })
  })

  it('takes an empty key, and a commented one, as absent', () => {
    expect(readKeys('ANTHROPIC_API_KEY=\n# GEMINI_API_KEY=abc\nOPENAI_API_KEY="  "').real).toEqual([])
  })

  it('injects none of our own keys that the file brings', () => {
    expect(readKeys('ADMIN_KEY=a-long-key\nDEV_ACCOUNT_KEY=mine')).toMatchObject({
      adminKey: 'a-long-key',
      accountKey: 'mine',
      own: { adminKey: true, accountKey: true, seal: false },
    })
  })

  it('changes nothing when the example is copied as it is', () => {
    const example = readFileSync(resolve(import.meta.dirname, '../../.dev.vars.example'), 'utf8')
    expect(readKeys(example)).toEqual(readKeys(''))
    expect(example).toMatch(
      /ANTHROPIC_API_KEY[\s\S]*OPENAI_API_KEY[\s\S]*GEMINI_API_KEY[\s\S]*ADMIN_KEY[\s\S]*DEV_ACCOUNT_KEY/,
    )
  })

  it('never keeps what the lab was given in the same folder as what a real provider was given', () => {
    const names = ['', 'ANTHROPIC_API_KEY=a', 'OPENAI_API_KEY=a', 'ANTHROPIC_API_KEY=a\nOPENAI_API_KEY=a'].map((text) =>
      stateName(readKeys(text).real),
    )
    expect(names).toEqual(['lab', 'real-anthropic', 'real-openai', 'real-anthropic-openai'])
  })
})
