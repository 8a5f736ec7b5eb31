import { describe, expect, it } from 'vitest'
import { parseOptions } from '../../../scripts/test/options.ts'

const none = { help: false, changed: null, repeat: null, rest: [] }

describe('npm test --', () => {
  it.each([
    [[], none],
    [['--help'], { ...none, help: true }],
    [['--changed'], { ...none, changed: '' }],
    [['--changed=main'], { ...none, changed: 'main' }],
    [['--repeat'], { ...none, repeat: 50 }],
    [['--repeat=3', 'test/http'], { ...none, repeat: 3, rest: ['test/http'] }],
    [
      ['test/core', '-t', 'a plan', '--project=node'],
      { ...none, rest: ['test/core', '-t', 'a plan', '--project=node'] },
    ],
  ])('%j', (args, expected) => {
    expect(parseOptions(args)).toEqual(expected)
  })

  it.each([['--repeat=0'], ['--repeat=few'], ['--repeat', '--changed']])('refuses %s %s in words', (...args) => {
    expect(parseOptions(args)).toEqual({ problem: expect.stringContaining('--repeat') as string })
  })
})
