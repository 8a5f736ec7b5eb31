import { expect, it } from 'vitest'
import { firstUse } from '../../scripts/start/first-use.ts'
import { loadSamples } from '../../scripts/start/samples.ts'

const base = 'http://localhost:8787'
const use = (...lab: string[]): string | null => firstUse({ base, accountKey: 'pilotlight-dev', lab })

it('the line goes to a provider that the lab stands for, and to none that is real', () => {
  expect(use('anthropic', 'openai')).toBe(
    "curl -si http://localhost:8787/via/anthropic/v1/messages -H 'x-pilotlight-key: pilotlight-dev' -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01' --data-binary @scripts/samples/anthropic.json",
  )
  expect(use('openai', 'gemini')).toContain('/via/openai/v1/responses ')
  expect(use('gemini')).toContain('/via/gemini/v1beta/models/gemini-2.5-flash:generateContent ')
  expect(use('bedrock')).toBeNull()
})

it('the address of a provider without a model in its body names the sample’s model', () => {
  const { registration } = loadSamples().find(({ provider }) => provider === 'gemini') ?? {}
  expect(use('gemini')).toContain(`/models/${registration?.['model'] as string}:`)
})
