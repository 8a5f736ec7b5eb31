import { expect, it } from 'vitest'
import { engineBody, TWO_SLOTS } from '../../support/engine.ts'
import { received, useLab, warm } from '../support.ts'

/** Engines of one's own, which the lab stands for in tests. */

const world = useLab()

const readBy = (usage: unknown): number | undefined =>
  (usage as { prompt_tokens_details?: { cached_tokens?: number } | null }).prompt_tokens_details?.cached_tokens

it('a warmed prefix is read at a slot, and three of them take two slots from one another', async () => {
  world.lab.engines.configure('llama-cpp', TWO_SLOTS)
  const ask = (topic: string) => warm(engineBody(topic), { provider: 'llama-cpp' })
  for (const topic of ['stoves', 'stoves', 'tents', 'mats', 'stoves']) {
    const answer = await ask(topic)
    expect([topic, answer.status, answer.text]).toEqual([topic, 200, expect.any(String)])
  }
  const reads = new Map<string, (number | undefined)[]>()
  for (const { body, usage } of received(world.lab)) {
    const topic = /"content":"(\w+)/.exec(body)?.[1] ?? ''
    reads.set(topic, [...(reads.get(topic) ?? []), readBy(usage)])
  }
  expect(reads.get('stoves')?.[1]).toBeGreaterThan(3_900)
  expect(reads.get('mats')?.[0]).toBeLessThan(26)
  expect(reads.get('stoves')?.at(-1)).toBeLessThan(26)
})
