import { describe, expect, it } from 'vitest'
import { readRateLimits } from '../../../src/providers/transport/rate-limit-headers.ts'

const NOW = Date.UTC(2026, 10, 21, 12)

describe('rate limits in headers', () => {
  it.each<[string, Record<string, string>, unknown]>([
    [
      'Anthropic',
      {
        'anthropic-ratelimit-requests-limit': '1000',
        'anthropic-ratelimit-requests-remaining': '12',
        'anthropic-ratelimit-requests-reset': '2026-11-21T12:00:30Z',
        'anthropic-ratelimit-input-tokens-limit': '400000',
        'anthropic-ratelimit-input-tokens-remaining': '399000',
        'anthropic-ratelimit-input-tokens-reset': '2026-11-21T12:00:01Z',
      },
      [
        { what: 'input tokens', limit: 400_000, remaining: 399_000, resetAt: NOW + 1_000 },
        { what: 'requests', limit: 1_000, remaining: 12, resetAt: NOW + 30_000 },
      ],
    ],
    [
      'OpenAI',
      {
        'x-ratelimit-limit-requests': '60',
        'x-ratelimit-remaining-requests': '59',
        'x-ratelimit-reset-requests': '1s',
        'x-ratelimit-limit-tokens': '150000',
        'x-ratelimit-remaining-tokens': '149984',
        'x-ratelimit-reset-tokens': '6m0.5s',
      },
      [
        { what: 'requests', limit: 60, remaining: 59, resetAt: NOW + 1_000 },
        { what: 'tokens', limit: 150_000, remaining: 149_984, resetAt: NOW + 360_500 },
      ],
    ],
    [
      'seconds',
      { 'ratelimit-limit': '100', 'ratelimit-remaining': '0', 'ratelimit-reset': '20' },
      [{ what: 'requests', limit: 100, remaining: 0, resetAt: NOW + 20_000 }],
    ],
    [
      'an epoch',
      { 'x-ratelimit-limit': '100', 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': String(NOW / 1_000 + 9) },
      [{ what: 'requests', limit: 100, remaining: 5, resetAt: NOW + 9_000 }],
    ],
    [
      'an epoch in milliseconds',
      { 'x-ratelimit-limit': '9', 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': String(NOW + 7) },
      [{ what: 'requests', limit: 9, remaining: 5, resetAt: NOW + 7 }],
    ],
    ['a limit without its reset', { 'x-ratelimit-limit': '100', 'x-ratelimit-remaining': '5' }, []],
    ['words', { 'x-ratelimit-limit': 'many', 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': 'soon' }, []],
    ['none', { 'retry-after': '3' }, []],
  ])('are read as %s', (_, headers, expected) => {
    const found = readRateLimits(new Headers(headers), NOW).toSorted((a, b) => (a.what < b.what ? -1 : 1))
    expect(found).toEqual(expected)
  })
})
