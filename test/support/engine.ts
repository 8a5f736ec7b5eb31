import type { EngineSettings } from '../lab/index.ts'

/**
 * How to try an engine with two slots. In tests of the Worker `provider: 'llama-cpp'` (or `vllm`, `sglang`) reaches the lab of
 * `useLab`: `world.lab.engines.configure('llama-cpp', TWO_SLOTS)`. In virtual time: `engine: TWO_SLOTS` of test/scenarios.
 */
export const TWO_SLOTS: Partial<EngineSettings> = { slots: 2, hostCacheTokens: 0 }

/** A body for an engine: a system prompt of about four thousand tokens, which only prompts of the same `topic` share. */
export function engineBody(topic: string, question = 'Which tent for two?'): Record<string, unknown> {
  return {
    model: 'tiny',
    messages: [
      { role: 'system', content: `${topic}. `.repeat(Math.ceil(16_000 / (topic.length + 2))) },
      { role: 'user', content: question },
    ],
  }
}
