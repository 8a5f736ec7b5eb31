import type { KeepWarm } from '../../src/core/planning/plan.ts'
import { planned } from './sample.ts'
import type { Registration } from '../../src/registration/registration.ts'

/** Registration at a provider that does not exist, for tests over tables alone. */
export function registrationNamed(
  fingerprint: string,
  keepWarm: KeepWarm | null = planned('always'),
  change: Partial<Registration> = {},
): Registration {
  return {
    fingerprint: fingerprint.padEnd(64, '-'),
    provider: 'sample',
    model: 'sample-1',
    name: null,
    credential: 'default',
    cacheKey: null,
    retention: '5m',
    breakpoint: { path: 'system[0]', byte: 10 },
    estimatedTokens: 10_000,
    bound: { most: 2 * (change.estimatedTokens ?? 10_000) },
    bodyBytes: 3,
    advice: [],
    maxOutputTokens: null,
    outputFloors: [0, 1],
    primitives: ['zero_output', 'one_token'],
    keepWarm,
    body: new Uint8Array([1, 2, 3]),
    ...change,
  }
}
