import type { Lifetime } from '../../contract/lifetime.ts'
import type { PrefixState } from './state.ts'

/**
 * Whether nobody is expected to return to a prefix. A caller said so, and no request has come back after a silence so far (`SHORTEST_GAP_MS`): one
 * that did shows that others use the prefix too, or that the word was wrong.
 */
export function isOneShot({ lifetime, gaps = [] }: Pick<PrefixState, 'lifetime' | 'gaps'>): boolean {
  return lifetime === 'one_shot' && gaps.length === 0
}

/** What is known after a request told `told`. One person who may return outweighs any number of scripts. */
export function lifetimeAfter(before: Lifetime | undefined, told: Lifetime | undefined): { lifetime?: Lifetime } {
  const lifetime = before === 'interactive' ? before : (told ?? before)
  return lifetime === undefined ? {} : { lifetime }
}
