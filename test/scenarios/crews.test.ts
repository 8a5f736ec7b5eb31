import { describe, expect, it } from 'vitest'
import { preloaded } from '../../bench/crew/office.ts'
import type { OfficeAgent } from '../../bench/crew/office.ts'
import { asked } from '../../bench/crew/characters.ts'
import { VirtualTime } from '../../bench/crew/virtual-time.ts'
import type { CrewStrategy } from '../../src/core/fan-out/crew.ts'
import { createLab } from '../lab/index.ts'
import type { Lab } from '../lab/index.ts'
import { MINUTE_MS } from '../../src/core/time/time.ts'
import { NOON } from '../support/sample.ts'

/** Crews whose agents differ inside of one system string: the shipped preload, then the first real request of each agent. */

const ROLES = ['writer', 'wright', 'editor', 'translator', 'illustrator', 'indexer', 'printer', 'publisher']
const RULES = 'The crew writes for people who fix boats.\nIt cites what it has read, and says what it does not know.\n'

const systemOf = (role: string, rules = RULES.repeat(200)): string =>
  `${rules}You are the ${role}. ${`As the ${role} you mind your own part. `.repeat(60)}`

const neutral = (provider: string, model: string, roles = ROLES): OfficeAgent[] =>
  roles.map((role) => ({ provider, model, system: systemOf(role) }))

/** A real request: what the product shows for the agent, and a question. */
function withQuestion(provider: string, text: string): Record<string, unknown> {
  const body = JSON.parse(text) as Record<string, unknown>
  const turns = (name: string): unknown[] => (Array.isArray(body[name]) ? (body[name] as unknown[]) : [])
  const question = { role: 'user', content: 'Begin.' }
  if (provider === 'gemini')
    return { ...body, contents: [...turns('contents'), { role: 'user', parts: [{ text: 'Begin.' }] }] }
  if (provider === 'bedrock')
    return { ...body, messages: [...turns('messages'), { role: 'user', content: [{ text: 'Begin.' }] }] }
  if (provider === 'openai') return { ...body, input: [...turns('input'), question] }
  return { ...body, messages: [...turns('messages'), question] }
}

async function play<Result>(work: (lab: Lab, time: VirtualTime) => Promise<Result>): Promise<Result> {
  const time = new VirtualTime(NOON)
  const lab = createLab({ now: time.now, sleep: time.sleep })
  const network = globalThis.fetch
  globalThis.fetch = (input, init) => lab.fetch(new Request(input, init))
  try {
    return await time.until(work(lab, time))
  } finally {
    globalThis.fetch = network
  }
}

/** Preloads a crew, then sends a real request of each agent, one after the other. */
async function crewOf(agents: OfficeAgent[], strategy: CrewStrategy = 'shared_prefix') {
  return play(async (lab, time) => {
    lab.engines.configure('vllm', { reportsCached: true })
    const { crew, requests, tookMs } = await preloaded(time, agents, strategy, 4)
    const calls = lab.transcript.list().length
    // Else the calls of the preload count with the real ones, and the provider spills over.
    await time.sleep(MINUTE_MS)
    const reads = []
    for (const [index, text] of requests.entries()) {
      const { provider, model } = agents[index]!
      const named = String(model ?? (JSON.parse(text ?? '{}') as { model?: string }).model)
      const { usage } = await asked(
        lab,
        time.now,
        String(provider),
        withQuestion(String(provider), text ?? '{}'),
        named,
      )
      reads.push(usage)
    }
    return { crew, requests, tookMs, calls, reads, starts: lab.transcript.list().map(({ at }) => at) }
  })
}

const EVERYWHERE = [
  ['anthropic', 'claude-opus-5', 0],
  ['bedrock', 'anthropic.claude-opus-5', 0],
  ['openai', 'gpt-5.6-sol', 0],
  ['openai-chat', 'gpt-5.6-sol', 0],
  ['openai', 'gpt-5.4', 128],
  ['openai-chat', 'gpt-4.1', 128],
  ['gemini', 'gemini-2.5-flash', 256],
  ['vllm', 'served-model', 16],
] as const

describe('eight agents that differ inside one system string', () => {
  it.each(EVERYWHERE)(
    'write their head once at %s (%s), and each real request reads its whole prefix',
    async (provider, model, step) => {
      const { crew, reads } = await crewOf(neutral(provider, model))
      expect(crew).toMatchObject({ status: 'succeeded', head_writes: 1, succeeded: 8, failed: 0 })
      for (const [index, usage] of reads.entries()) {
        const probe = crew.agents[index]!.receipt!.usage
        // The question has two tokens, and the label of its turn none.
        const prefix = (usage.inputTokens ?? 0) - 2
        expect(usage.cacheReadTokens).toBeGreaterThan(prefix - Math.max(step, 12))
        // A probe of Chat Completions writes its placeholder turn too.
        const held = (probe.cached_input_tokens ?? 0) + (probe.cache_write_input_tokens ?? 0)
        if (step === 0) expect(usage.cacheReadTokens).toBeGreaterThanOrEqual(held - 1)
      }
    },
  )
})
