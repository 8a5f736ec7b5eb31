import { describe, expect, test } from 'vitest'
import { parseWith } from '../../src/contract/issues.ts'
import { AT_ONCE, preloadEnvelope } from '../../src/contract/preload.ts'
import { RawJson } from '../../src/contract/raw-json.ts'
import { warmBody } from '../../src/contract/warm.ts'
import type { CrewOrder } from '../../src/durable/registry/records/crew.ts'
import { orderOf } from '../../src/http/preload/crew-order.ts'
import { prepareWarm } from '../../src/registration/prepare.ts'
import { dialectOf } from '../../src/providers/registry.ts'
import { cardById } from '../../src/providers/registry.ts'
import { unpack } from '../../src/runtime/bytes.ts'
import { nextCrewCalls } from '../../src/core/fan-out/crew.ts'
import type { CrewCall, CrewState, CrewStrategy } from '../../src/core/fan-out/crew.ts'
import { refusal } from '../providers/prepared.ts'
import { commonCharacters } from '../../bench/crew/characters.ts'

/** crewAI's `cache_preload`, line by line: its behaviour, and what it should do. Its requests are in crewai.workerd.test.ts. */

const NOON = Date.UTC(2026, 10, 21, 12)
const RULES = 'Rules of the house that everybody follows. '.repeat(200)
const tools = ['search', 'write'].map((name) => ({
  name,
  description: 'Of the crew.',
  input_schema: { type: 'object' },
}))
const text = (value: string) => ({ type: 'text', text: value })

interface Given {
  provider?: string
  model?: string
  credential?: { name: string; generation: number }
  role: string
  headers?: Record<string, string>
  request?: Record<string, unknown>
}

function order(agents: Given[], strategy?: CrewStrategy): CrewOrder {
  const admitted = agents.map(
    ({ provider = 'anthropic', model = 'claude-opus-5', credential, role, headers, request = {} }) => {
      const body = { model, max_tokens: 9, tools, system: [text(RULES), text(`You are the ${role}.`)], ...request }
      const parsed = warmBody.parse({ provider, headers, request: new RawJson(JSON.stringify(body)) })
      return { name: role, preparation: prepareWarm(parsed, NOON, { credential }) }
    },
  )
  return orderOf(strategy === undefined ? {} : { strategy }, admitted)
}

const call = (group: number | null = 0, step: CrewCall['step'] = 'waiting'): CrewCall => ({ group, step })
const situation = (strategy: CrewStrategy, agents: CrewCall[], head: CrewCall | null = null): CrewState => ({
  strategy,
  atOnce: AT_ONCE,
  heads: [head],
  agents,
})
const next = (crew: CrewState) => nextCrewCalls(crew, NOON)
const six = (): CrewCall[] => Array.from({ length: 6 }, () => call())

describe('the strategies', () => {
  test.each(['parallel', 'sequential', 'shared_prefix'] as const)('%s is one, by that name', (strategy) => {
    expect(parseWith(preloadEnvelope, { agents: [], strategy }).strategy).toBe(strategy)
  })

  test('are these three and no other', () => {
    const refused = refusal(() => parseWith(preloadEnvelope, { agents: [], strategy: 'shared-prefix' }))
    expect(refused.detail).toEqual({ field: 'strategy' })
  })

  test('parallel sends as many at once as a pool of four threads, and waits for all', () => {
    expect(next(situation('parallel', six())).agents).toEqual([0, 1, 2, 3])
    expect(next(situation('parallel', [call(0, 'running'), ...six()])).agents).toHaveLength(3)
  })

  test('sequential goes in the order of the agents', () => {
    expect(next(situation('sequential', [call(0, 'succeeded'), call(), call()])).agents).toEqual([1])
  })

  test('shared_prefix sends the shared part by itself, and then every agent', () => {
    expect(next(situation('shared_prefix', six(), call(null))).heads).toEqual([0])
    expect(next(situation('shared_prefix', six(), call(null, 'succeeded'))).agents).not.toEqual([])
  })

  test('what is to be shared is the default, where crewAI’s is the herd', () => {
    expect(order([{ role: 'a' }, { role: 'b' }]).strategy).toBe('shared_prefix')
  })
})

describe('the shared prefix', () => {
  const shared = (agents: Given[]): (string | null)[] =>
    order(agents).heads.map((head) => (head === null ? null : unpack(head.body)))

  test('holds the tools, which come first in the prompt; crewAI leaves them out', () => {
    const [head] = shared([{ role: 'writer' }, { role: 'editor' }])
    expect(JSON.parse(head ?? '')).toMatchObject({ tools, system: [text(RULES)] })
  })

  test('ends with a block; crewAI’s ends inside of a word', () => {
    const systems = ['writer', 'wright'].map((role) => `${RULES}You are the ${role}.`)
    expect(commonCharacters(systems)).toMatch(/You are the wri$/)
    const one = (role: string) => ({ role, request: { system: `${RULES}You are the ${role}.` } })
    // The whole system prompt is one block here, and the two tools alone are too few.
    expect(shared([one('writer'), one('wright')])).toEqual([null])
  })

  test('is as long as the model’s minimum in tokens, where crewAI takes 1,024 characters', () => {
    const rules = 'Be kind. '.repeat(120)
    expect(rules.length).toBeGreaterThan(1_024)
    const one = (role: string, model: string) => ({
      role,
      model,
      request: { system: [text(rules), text(RULES + role)] },
    })
    expect(shared([one('a', 'claude-opus-5'), one('b', 'claude-opus-5')])).toEqual([null])
    // The prefix is long enough for one model and too short for another.
    const two = (role: string, model: string) => ({
      role,
      model,
      request: { system: [text(rules.repeat(3)), text(RULES + role)] },
    })
    expect(shared([two('a', 'claude-opus-5'), two('b', 'claude-opus-5')])).not.toEqual([null])
    expect(shared([two('a', 'claude-haiku-4-5'), two('b', 'claude-haiku-4-5')])).toEqual([null])
  })

  test('is written for each provider, model, key and account; crewAI uses the first agent’s model', () => {
    const other = { name: 'theirs', generation: 1 }
    const { groups, heads } = order([
      { role: 'a' },
      { role: 'b' },
      { role: 'c', model: 'claude-sonnet-5-5' },
      { role: 'd', model: 'claude-sonnet-5-5' },
      { role: 'e', credential: other },
      { role: 'f', credential: other },
    ])
    expect(groups.map(({ model, credential, members }) => [model, credential, members])).toEqual([
      ['claude-opus-5', 'default', [0, 1]],
      ['claude-sonnet-5-5', 'default', [2, 3]],
      ['claude-opus-5', 'theirs', [4, 5]],
    ])
    expect(new Set(heads.map((head) => head?.fingerprint)).size).toBe(3)
  })

  test('is not shared by agents whose requests say something else beside the prompt', () => {
    const headers = { 'anthropic-beta': 'context-1m-2025-08-07' }
    const { groups } = order([{ role: 'a' }, { role: 'b' }, { role: 'c', headers }, { role: 'd', headers }])
    expect(groups.map(({ members, shared: head }) => [members, head !== null])).toEqual([
      [[0, 1], true],
      [[2, 3], true],
    ])
  })

  test('holds the others back until it is readable, and that is not the same as sent', () => {
    expect(next(situation('shared_prefix', six(), call(null, 'running'))).agents).toEqual([])
  })

  test('falls back to everybody at once where nothing is shared', () => {
    const { heads, groups } = order([{ role: 'a' }, { role: 'b', request: { tools: [], system: RULES.repeat(2) } }])
    expect(heads.every((head) => head === null)).toBe(true)
    expect(groups.every(({ why }) => why !== '')).toBe(true)
    expect(next(situation('shared_prefix', six(), null)).agents).toEqual([0, 1, 2, 3])
  })
})

describe('a probe', () => {
  const probeOf = (role: string): Record<string, unknown> => {
    const { agents } = order([{ role }, { role: 'other' }], 'parallel')
    const { registration } = agents[0]!
    const dialect = dialectOf(cardById('anthropic')!)
    const prefix = {
      text: unpack(registration!.body),
      model: registration!.model,
      breakpoint: registration!.breakpoint,
    }
    const { primitives, retention } = registration!
    return JSON.parse(dialect.probe(prefix, { primitive: primitives[0]!, retention }).body) as Record<string, unknown>
  }

  test('is the agent’s own request, tools included, with a breakpoint and no output', () => {
    expect(probeOf('writer')).toMatchObject({
      tools,
      system: [text(RULES), { ...text('You are the writer.'), cache_control: { type: 'ephemeral' } }],
      max_tokens: 0,
    })
  })

  test('sets no temperature, and changes no object that a real call uses: it is built from text', () => {
    const given = { role: 'writer' }
    const before = JSON.stringify(given)
    const [first, second] = [probeOf('writer'), probeOf('writer')]
    expect(first).toEqual(second)
    expect(first).not.toHaveProperty('temperature')
    expect(JSON.stringify(given)).toBe(before)
  })

  test('is made with a retention, a budget and a plan', () => {
    const { agents, heads } = order([{ role: 'a' }, { role: 'b' }])
    expect(agents[0]?.registration).toMatchObject({ retention: '1h' })
    expect(heads[0]).toMatchObject({ retention: '1h' })
    // The head has no plan: the agents that share it are kept warm themselves.
    expect(heads[0]?.keepWarm).toMatchObject({ plan: 'off', budgetNanosPerDay: 1_000_000_000 })
  })
})
