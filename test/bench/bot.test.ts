import { describe, expect, it } from 'vitest'
import { BlazenWindow, withoutOrphans, withTime } from '../../bench/bot/blazen.ts'
import { botBench, compareBots, RULES } from '../../bench/bot/report.ts'
import type { Score } from '../../bench/bot/report.ts'
import { scriptOf, SIZES } from '../../bench/bot/script.ts'
import type { ChatMessage } from '../../src/core/conversation/window.ts'
import { names, readText, section, tableRows } from '../docs/documents.ts'
import { tokensOf } from '../lab/counting.ts'

describe('the conversation of the bench', () => {
  it('is of the sizes that it says, and the same for the same seed', () => {
    const { system, tools, lines } = scriptOf(7, 50)
    expect(tokensOf(system) + tokensOf(JSON.stringify(tools))).toBe(SIZES.headTokens)
    for (const { user, reply } of lines) {
      expect(tokensOf(user)).toBeGreaterThanOrEqual(60)
      expect(tokensOf(user)).toBeLessThanOrEqual(200)
      expect(tokensOf(reply)).toBeGreaterThanOrEqual(100)
      expect(tokensOf(reply)).toBeLessThanOrEqual(300)
    }
    expect(lines.filter(({ tool }) => tool !== null)).toHaveLength(10)
    expect(scriptOf(7, 50)).toEqual(scriptOf(7, 50))
    expect(scriptOf(8, 50).system).not.toBe(system)
  })
})

describe("Blazen's window", () => {
  const user = (text: string): ChatMessage => ({ role: 'user', text })
  const calls: ChatMessage = {
    role: 'assistant',
    text: 'Let me look.',
    toolCalls: [{ id: 'c', name: 'look', arguments: '{}' }],
  }
  const result: ChatMessage = { role: 'tool', callId: 'c', text: 'x'.repeat(70) }

  it('counts 4 + bytes ÷ 3.5 a message, 3 for all, and drops the oldest but the system one', () => {
    // 3 + (4 + 2) + 2 × (4 + 10) = 37
    const window = new BlazenWindow(37, 'system')
    window.add(user('a'.repeat(35)), user('b'.repeat(35)))
    expect(window.messages()).toHaveLength(3)
    window.add(user('c'))
    expect(window.messages().map(({ text }) => text[0])).toEqual(['s', 'b', 'c'])
    window.add(user('d'.repeat(1_000)))
    expect(window.messages().map(({ role }) => role)).toEqual(['system'])
  })

  it('parts a tool result from its call', () => {
    const window = new BlazenWindow(40, 'system')
    window.add(user('a'), calls, result)
    expect(window.messages().map(({ role }) => role)).toEqual(['system', 'tool'])
    expect(withoutOrphans(window.messages())).toEqual({ messages: [window.messages()[0]], orphans: 1 })
    const whole: ChatMessage[] = [user('a'), calls, result]
    expect(withoutOrphans(whole)).toEqual({ messages: whole, orphans: 0 })
  })

  it('has the time in front of the system prompt', () => {
    expect(withTime('You help.', 0)).toBe('Current UTC time: 1970-01-01T00:00:00.000Z\n\nYou help.')
  })
})

describe('the bench of bots', async () => {
  const report = await compareBots(20261121, 200)
  const labs = Object.entries(report.labs)
  const of = (lab: string, rule: string): Score => {
    const score = report.labs[lab]?.rules[rule]
    if (score === undefined) throw new Error(`no ${rule} on ${lab}`)
    return score
  }

  it('reads at least 0.85 of the input from the cache on both labs, and says the worse of them', () => {
    expect(labs.map(([name]) => name)).toEqual(['anthropic', 'openai'])
    const shares = labs.map(([lab]) => of(lab, 'pilotlight').cached_share)
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(0.85)
    expect(report.cached_share).toBe(Math.min(...shares))
    expect(report.input_cost_ratio).toBe(Math.max(...labs.map(([lab]) => of(lab, 'pilotlight').input_cost_ratio)))
    expect(report.input_cost_ratio).toBeLessThan(0.3)
  })

  it.each(labs.map(([lab]) => lab))(
    "costs less than Blazen's defaults on the %s lab, with its time on and off",
    (lab) => {
      const [on, off] = [of(lab, 'blazen_time_on'), of(lab, 'blazen_time_off')]
      expect(on.cached_share).toBeLessThan(0.25)
      expect(off.cached_share).toBeLessThan(0.65)
      expect(Math.min(on.times_pilotlight, off.times_pilotlight)).toBeGreaterThan(2)
      // Both make the same number of calls, so that the comparison is fair.
      expect([on.calls, off.calls]).toEqual([of(lab, 'pilotlight').calls, of(lab, 'pilotlight').calls])
    },
  )

  it.each([
    ['time_in_the_system_prompt', 'pilotlight'],
    ['evicts_one_by_one', 'pilotlight'],
    ['marks_the_head_alone', 'pilotlight'],
    ['last_call_drops_tools', 'last_call'],
  ])('shows what %s alone costs', (rule, beside) => {
    for (const [lab] of labs) {
      expect(of(lab, rule).input_cost_usd).toBeGreaterThan(of(lab, beside).input_cost_usd * 1.1)
      expect(of(lab, rule).cached_share).toBeLessThan(of(lab, beside).cached_share)
    }
  })

  it('reads as much with summaries, each in its place for good', () => {
    for (const [lab] of labs) expect(of(lab, 'summaries').cached_share).toBeGreaterThanOrEqual(0.85)
  })

  it('prints the table of docs/bots.md', () => {
    const rows = tableRows(section(readText('docs/bots.md'), 'What that saves'))
    const printed = Object.keys(RULES).map((rule) => [
      rule,
      ...labs.flatMap(([lab]) => {
        const { cached_share: cached, input_cost_usd: cost, times_pilotlight: times } = of(lab, rule)
        return [cached.toFixed(3), `$${cost.toFixed(2)}`, times.toFixed(2)]
      }),
    ])
    expect(rows.map(([rule, , ...cells]) => [names(rule)[0], ...cells])).toEqual(printed)
  })

  it('counts every token once: what was read, written and sent plainly is the input', () => {
    for (const [lab, { rules }] of labs) {
      for (const { input_tokens: input, cached_tokens: cached, written_tokens: written } of Object.values(rules)) {
        expect([lab, cached + written <= input]).toEqual([lab, true])
      }
    }
  })
})

describe('npm run bench -- bot', () => {
  const run = async (...args: string[]): Promise<{ code: number; text: string }> => {
    let text = ''
    const code = await botBench(args, (more) => void (text += more))
    return { code, text }
  }

  it('prints one JSON object with its seed, or a table', async () => {
    const { code, text } = await run('--json', '--seed', '5', '--turns', '3')
    expect([code, JSON.parse(text)]).toEqual([0, expect.objectContaining({ bench: 'bot', seed: 5, turns: 3 })])
    const table = await run('--seed', '5', '--turns', '3')
    expect(table.text).toContain('seed 5, 3 turns, head 3000 tokens, history_tokens 8192')
    expect(table.text).toContain(
      `cached_share ${(JSON.parse(text) as { cached_share: number }).cached_share.toFixed(3)}`,
    )
  })

  it.each([['--seed', 'x'], ['--seed', '-1'], ['--turns', '0'], ['--turns', '1.5'], ['--what']])(
    'refuses %s %s',
    async (...args) => {
      expect(await run(...args)).toEqual({ code: 2, text: '' })
    },
  )
})
