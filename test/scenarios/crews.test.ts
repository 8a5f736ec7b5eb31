import { describe, expect, it } from 'vitest'
import { officeAt, preloaded } from '../../bench/crew/office.ts'
import type { OfficeAgent } from '../../bench/crew/office.ts'
import { asked } from '../../bench/crew/characters.ts'
import { VirtualTime } from '../../bench/crew/virtual-time.ts'
import { RawJson } from '../../src/contract/raw-json.ts'
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
async function crewOf(
  agents: OfficeAgent[],
  strategy: CrewStrategy = 'shared_prefix',
  prepare: (lab: Lab) => void = (lab) => void lab.engines.configure('vllm', { reportsCached: true }),
) {
  return play(async (lab, time) => {
    prepare(lab)
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

describe('a crew on a model whose requests spill to other machines above fifteen a minute', () => {
  /** The most of these instants within any minute. */
  const mostInAMinute = (starts: readonly number[]): number =>
    Math.max(...starts.map((at) => starts.filter((one) => one > at - MINUTE_MS && one <= at).length))

  const sixtyFour = Array.from({ length: 64 }, (_, index) => `agent ${index}`)

  it.each(['shared_prefix', 'parallel', 'sequential'] as const)(
    'is paced below that with 64 agents (%s)',
    async (strategy) => {
      const { crew, calls, starts, tookMs } = await crewOf(neutral('openai-chat', 'gpt-4.1', sixtyFour), strategy)
      expect(crew).toMatchObject({ status: 'succeeded', succeeded: 64, calls: 64 })
      expect(crew.groups[0]?.pace).toEqual({ calls: 14, every: '1m' })
      expect(calls).toBe(64)
      expect(mostInAMinute(starts.slice(0, calls))).toBeLessThan(15)
      // It waits no longer than it has to: 64 calls are four full minutes, and what is left.
      expect(tookMs).toBeGreaterThan(4 * MINUTE_MS)
      expect(tookMs).toBeLessThan(5.5 * MINUTE_MS)
      if (strategy !== 'parallel') expect(crew.head_writes).toBe(1)
    },
  )

  it('counts the calls of a crew that was preloaded just before', async () => {
    const { starts, status } = await play(async (lab, time) => {
      const [first, second] = [sixtyFour.slice(0, 10), sixtyFour.slice(10, 20)]
      const office = officeAt(time)
      await office.preload(neutral('openai-chat', 'gpt-4.1', first), 'shared_prefix', 4)
      const { crew } = await office.preload(neutral('openai-chat', 'gpt-4.1', second), 'shared_prefix', 4)
      return { starts: lab.transcript.list().map(({ at }) => at), status: crew.status }
    })
    expect([status, starts.length]).toEqual(['succeeded', 20])
    expect(mostInAMinute(starts)).toBe(14)
  })

  it('is not slowed down where the beginnings or the keys differ', async () => {
    const agents = sixtyFour.slice(0, 24).map((role, index) => ({
      provider: 'openai-chat',
      model: 'gpt-4.1',
      system: systemOf(role),
      cache: { key: `desk ${index % 2}` },
    }))
    const { crew, tookMs } = await crewOf(agents)
    expect(crew).toMatchObject({ status: 'succeeded', head_writes: 2 })
    expect(tookMs).toBeLessThan(MINUTE_MS)
  })

  it('has no pace on models that do not spill', async () => {
    const { crew, tookMs } = await crewOf(neutral('openai-chat', 'gpt-5.6-sol', sixtyFour))
    expect(crew).toMatchObject({ status: 'succeeded', head_writes: 1 })
    expect(crew.groups[0]?.pace).toBeNull()
    expect(tookMs).toBeLessThan(MINUTE_MS)
  })
})

describe('a crew that is not of one kind', () => {
  it('has one head for each provider, model, key and list of tools', async () => {
    const tools = [{ name: 'search', parameters: new RawJson('{"type":"object"}') }]
    const two = ROLES.slice(0, 2)
    const agents = [
      ...neutral('anthropic', 'claude-opus-5', two),
      ...neutral('anthropic', 'claude-sonnet-5', two),
      ...neutral('gemini', 'gemini-2.5-flash', two),
      ...neutral('anthropic', 'claude-opus-5', two).map((agent) => ({ ...agent, tools })),
      ...neutral('openai-chat', 'gpt-4.1', two).map((agent) => ({ ...agent, cache: { key: 'one' } })),
      ...neutral('openai-chat', 'gpt-4.1', two).map((agent) => ({ ...agent, cache: { key: 'other' } })),
    ]
    const { crew } = await crewOf(agents)
    expect(crew).toMatchObject({ status: 'succeeded', head_writes: 6, succeeded: 12 })
    expect(crew.groups.map(({ agents: members }) => members)).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
      [8, 9],
      [10, 11],
    ])
    expect(crew.groups.map(({ head }) => head?.written_by ?? null)).toEqual([null, null, 4, null, 8, 10])
  })

  it('fills templates in before it looks for what agents share', async () => {
    const template = `{{rules}}You are the {{role}}. ${'Mind the {{role}}’s part. '.repeat(40)}`
    const agents = ROLES.map((role) => ({
      provider: 'anthropic',
      model: 'claude-opus-5',
      system: template,
      vars: { rules: RULES.repeat(100), role },
    }))
    const { crew, requests, reads } = await crewOf(agents)
    expect(crew).toMatchObject({ status: 'succeeded', head_writes: 1 })
    const [head, own] = (JSON.parse(requests[2] ?? '{}') as { system: { text: string }[] }).system
    expect(head?.text).toBe(RULES.repeat(100))
    expect(own?.text).toMatch(/^You are the editor\. Mind the editor’s part\./)
    expect(Math.min(...reads.map(({ cacheReadTokens }) => cacheReadTokens ?? 0))).toBeGreaterThan(2_000)
  })

  it('shares one call between equal agents, also where the first agent writes the head', async () => {
    const roles = ['writer', 'writer', 'editor', 'writer', 'editor']
    for (const [provider, model, calls] of [
      ['anthropic', 'claude-opus-5', 3],
      ['openai-chat', 'gpt-4.1', 2],
    ] as const) {
      for (const strategy of ['shared_prefix', 'sequential'] as const) {
        const { crew } = await crewOf(neutral(provider, model, roles), strategy)
        expect(crew).toMatchObject({ status: 'succeeded', succeeded: 5 })
        expect(crew.calls).toBe(strategy === 'sequential' ? 2 : calls)
        expect(new Set(crew.agents.map(({ prefix_id: id }) => id)).size).toBe(2)
      }
    }
  })

  it('is whole where all agents are equal, or only one has content', async () => {
    const { crew } = await crewOf(neutral('anthropic', 'claude-opus-5', ['writer', 'writer']))
    expect(crew).toMatchObject({ head_writes: 1, calls: 1 })
    const { requests } = await crewOf(neutral('anthropic', 'claude-opus-5', ['writer']))
    expect((JSON.parse(requests[0] ?? '{}') as { system: unknown[] }).system).toHaveLength(1)
  })

  it('is not split below the minimum of the model', async () => {
    const agents = ['writer', 'editor'].map((role) => ({
      provider: 'anthropic',
      model: 'claude-opus-4-5',
      system: systemOf(role, RULES.repeat(150)),
    }))
    const { crew, requests } = await crewOf(agents)
    expect(crew.groups[0]).toMatchObject({ head: null, why: expect.stringContaining('4096 tokens') })
    expect((JSON.parse(requests[0] ?? '{}') as { system: unknown[] }).system).toHaveLength(1)
  })

  it.each([
    ['anthropic', 'claude-opus-5'],
    ['bedrock', 'anthropic.claude-opus-5'],
    ['openai', 'gpt-5.6-sol'],
  ])('is never cut inside of a character (%s)', async (provider, model) => {
    const rules = '規則を守り丁寧に答えてください'.repeat(400)
    const agents = ['👩‍👩‍👧', '👩‍👩‍👦', '👩🏽‍🚀'].map((role) => ({
      provider,
      model,
      system: `${rules}${role}です。${'お願いします'.repeat(99)}`,
    }))
    const { crew, requests, reads } = await crewOf(agents)
    expect(crew).toMatchObject({ status: 'succeeded', head_writes: 1 })
    for (const [index, text] of requests.entries()) {
      const texts = [...(text ?? '').matchAll(/"text":"((?:[^"\\]|\\.)*)"/g)].map(([, said]) => said)
      expect(texts.map((said) => said?.length)).toEqual([rules.length, agents[index]!.system.length - rules.length])
      expect(texts.join('')).toBe(agents[index]!.system)
      expect(reads[index]?.cacheReadTokens).toBeGreaterThan(4_000)
    }
  })
})

describe('a crew in which something goes wrong', () => {
  it.each([
    ['anthropic', 'claude-opus-5', 8],
    ['openai-chat', 'gpt-4.1', 7],
  ])('writes its head once although the call that was to write it fails (%s, %s)', async (provider, model, warm) => {
    const { crew, reads } = await crewOf(neutral(provider, model), 'shared_prefix', (lab) => {
      lab.faults.add({ kind: 'insufficient_quota', times: 1 })
    })
    expect(crew).toMatchObject({ status: 'succeeded', head_writes: 1, succeeded: warm, failed: 8 - warm })
    expect(crew.groups[0]?.head?.status).toBe(provider === 'anthropic' ? 'failed' : 'succeeded')
    expect(crew.groups[0]?.head?.written_by).toBe(provider === 'anthropic' ? null : 1)
    expect(crew.why).toBe(warm === 8 ? '' : '1 of 8 agents failed, see their failure')
    // Also the agent whose call failed finds the head.
    expect(Math.min(...reads.map(({ cacheReadTokens }) => cacheReadTokens ?? 0))).toBeGreaterThan(4_000)
  })

  it.each([
    ['anthropic', 'claude-opus-5', 1],
    ['openai-chat', 'gpt-4.1', 0],
  ])('has failed where most agents failed, and says how many (%s, %s)', async (provider, model, ahead) => {
    const { crew } = await crewOf(neutral(provider, model), 'shared_prefix', (lab) => {
      lab.faults.add({ kind: 'insufficient_quota', times: ahead + 5 })
    })
    expect(crew).toMatchObject({ status: 'failed', succeeded: 3, failed: 5, skipped: 0, head_writes: 1 })
    expect(crew.why).toBe('5 of 8 agents failed, see their failure')
  })

  it('has succeeded where half of the agents are warm', async () => {
    const { crew } = await crewOf(neutral('openai-chat', 'gpt-4.1'), 'shared_prefix', (lab) => {
      lab.faults.add({ kind: 'insufficient_quota', times: 4 })
    })
    expect(crew).toMatchObject({ status: 'succeeded', succeeded: 4, failed: 4 })
  })

  it('says that its head was written again, after an eviction in the middle of it', async () => {
    const strategies = ['shared_prefix', 'sequential'] as const
    for (const strategy of strategies) {
      const { crew } = await crewOf(neutral('openai-chat', 'gpt-4.1'), strategy, (lab) => {
        const answer = lab.fetch.bind(lab)
        let calls = 0
        lab.fetch = (request) => {
          calls += 1
          if (calls === 4) lab.faults.add({ kind: 'evict', times: 1 })
          return answer(request)
        }
      })
      expect(crew).toMatchObject({ status: 'succeeded', succeeded: 8 })
      // Calls that begin before the head is written again write it too: four at the most, as many as run at once.
      expect(crew.head_writes).toBeGreaterThanOrEqual(2)
      expect(crew.head_writes).toBeLessThanOrEqual(strategy === 'sequential' ? 2 : 5)
    }
  })

  it('does not know how often its head was written where no answer counts reads', async () => {
    const { crew } = await crewOf(neutral('vllm', 'served-model'), 'shared_prefix', () => {})
    expect(crew).toMatchObject({ status: 'succeeded', succeeded: 8, calls: 8, head_writes: null, failed: 0 })
    expect(crew.groups[0]?.head).toMatchObject({ written_by: 0, status: 'succeeded' })
  })
})
