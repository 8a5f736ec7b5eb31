import { describe, expect, it } from 'vitest'
import { parseOptions } from '../../scripts/start/options.ts'

describe('options of npm start', () => {
  it('has its usual ports and no wishes without arguments', () => {
    expect(parseOptions([], {})).toMatchObject({
      speed: null,
      samples: null,
      port: 8787,
      labPort: 8788,
      forMs: null,
      json: false,
    })
  })

  it('takes ports from the environment, and an argument over it', () => {
    expect(parseOptions(['--port', '9000'], { PORT: '9001', LAB_PORT: '9002' })).toMatchObject({
      port: 9000,
      labPort: 9002,
    })
    expect(parseOptions([], { PORT: '' })).toMatchObject({ port: 8787 })
  })

  it.each([
    ['90s', 90_000],
    ['10m', 600_000],
    ['1.5h', 5_400_000],
    ['1d', 86_400_000],
  ])('reads --for %s', (text, ms) => {
    expect(parseOptions(['--for', text], {})).toMatchObject({ forMs: ms })
  })

  it('reads --once as ten minutes, and --for over it', () => {
    expect(parseOptions(['--once'], {})).toMatchObject({ forMs: 600_000 })
    expect(parseOptions(['--once', '--for', '1h'], {})).toMatchObject({ forMs: 3_600_000 })
  })

  it.each([
    [['--sped', '4'], '--sped'],
    [['extra'], 'extra'],
    [['--speed', '0'], '1 to 120'],
    [['--speed', '121'], '1 to 120'],
    [['--speed', 'fast'], '1 to 120'],
    [['--samples', '--no-samples'], 'exclude'],
    [['--port', '65536'], '--port'],
    [['--port', '8o'], '--port'],
    [['--lab-port', '0'], '--lab-port'],
    [['--port', '8788'], '8788'],
    [['--for', '10'], '--for'],
    [['--for', '0m'], '--for'],
  ])('refuses %j and says why', (args, word) => {
    const answer = parseOptions(args, {})
    expect('problem' in answer ? answer.problem : 'accepted').toContain(word)
  })
})
