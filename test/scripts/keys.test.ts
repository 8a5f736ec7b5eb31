import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { allCards } from '../../src/runtime/cards.ts'
import { createLab } from '../lab/index.ts'
import { developmentKeys, readKeys, stateName } from '../../scripts/start/keys.ts'

describe('which providers are real', () => {
  it('lets the lab stand for all of them without keys', () => {
    expect(readKeys('')).toMatchObject({
      real: [],
      lab: expect.arrayContaining(['anthropic', 'openai', 'openai-chat', 'gemini', 'bedrock', 'vertex', 'llama-cpp']),
      accountKey: developmentKeys.account,
      own: { adminKey: false, accountKey: false, seal: false },
    })
  })

  it('takes a provider as real when its key is there, in both of its wire formats', () => {
    const { real, lab } = readKeys('OPENAI_API_KEY="sk-x"\n')
    expect(real).toEqual(['openai', 'openai-chat'])
    expect([lab.includes('anthropic'), lab.includes('openai'), lab.includes('openai-chat')]).toEqual([
      true,
      false,
      false,
    ])
  })

  it.each([
    ['AWS_BEARER_TOKEN_BEDROCK', ['bedrock']],
    ['BEDROCK_REGION', ['bedrock']],
    ['VERTEX_PROJECT', ['vertex', 'vertex-anthropic']],
    ['LLAMA_CPP_BASE_URL', ['llama-cpp']],
    ['VLLM_BASE_URL', ['vllm']],
  ])('takes %s as the sign that a provider is real', (name, real) => {
    expect(readKeys(`${name}=x`).real).toEqual(real)
  })

  it('lets the lab stand for providers alone that it simulates', async () => {
    const lab = createLab({ now: () => 0, sleep: () => Promise.resolve(), latency: 'off' })
    for (const id of readKeys('').lab) {
      const card = allCards().find((one) => one.id === id)
      const path = card?.labPath ?? card?.dialect.labPath ?? 'none'
      const answer = await lab.fetch(new Request(`http://lab.test${path}/nothing`, { method: 'POST', body: '{}' }))
      expect([id, await answer.text()]).toEqual([id, expect.not.stringContaining('The lab has no such route')])
    }
    const other = await lab.fetch(new Request('http://lab.test/nothing', { method: 'POST', body: '{}' }))
    expect(await other.text()).toContain('The lab has no such route')
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
    const names = [
      '',
      'ANTHROPIC_API_KEY=a',
      'OPENAI_API_KEY=a',
      'ANTHROPIC_API_KEY=a\nOPENAI_API_KEY=a',
      'BEDROCK_REGION=a\nVERTEX_PROJECT=a',
    ].map((text) => stateName(readKeys(text).real))
    expect(names).toEqual(['lab', 'real-anthropic', 'real-openai', 'real-anthropic-openai', 'real-bedrock-vertex'])
  })
})
