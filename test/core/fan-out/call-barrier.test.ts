import { describe, expect, it } from 'vitest'
import { callStep } from '../../../src/core/fan-out/call-barrier.ts'
import type { Known, CallEnd } from '../../../src/core/fan-out/call-barrier.ts'

const end = (entry: string, tokens: number, isWritten = true): CallEnd => ({ entry, tokens, isWritten })
const ends = [end('question', 9_000, false), end('history', 8_000), end('system', 5_000)]
const step = (known: Record<string, Known>, given = ends) => callStep(given, (entry) => known[entry] ?? 'cold')

describe('callStep', () => {
  it('lets the first pass, which leads what it writes', () => {
    expect(step({})).toEqual({ do: 'pass', leads: ['history', 'system'], reads: null })
  })

  it('has a call wait for the longest entry that another one writes', () => {
    expect(step({ system: 'led' })).toEqual({ do: 'wait', at: 'system' })
    expect(step({ system: 'led', history: 'led' })).toEqual({ do: 'wait', at: 'history' })
    expect(step({ system: 'readable', history: 'led' })).toEqual({ do: 'wait', at: 'history' })
  })

  it('lets a call pass that reads a longer entry than the one that is being written', () => {
    expect(step({ history: 'readable', system: 'led' })).toEqual({ do: 'pass', leads: [], reads: 'history' })
  })

  it('lets a call pass that reads the system prompt, and leads its own history', () => {
    expect(step({ system: 'readable' })).toEqual({ do: 'pass', leads: ['history'], reads: 'system' })
  })

  it('holds nobody for less than 1,024 tokens beyond what can be read', () => {
    const near = (tokens: number) => [end('history', tokens), end('system', 5_000)]
    const known = { system: 'readable', history: 'led' } as const
    expect(step(known, near(6_023))).toEqual({ do: 'pass', leads: [], reads: 'system' })
    expect(step(known, near(6_024))).toEqual({ do: 'wait', at: 'history' })
  })
})
