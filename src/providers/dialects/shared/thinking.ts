import { items, member } from '../../../core/prompt/json-text.ts'
import type { JsonObject } from '../../../core/prompt/json-text.ts'
import type { Advice } from '../../../core/model/advice.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'

/**
 * Whether the entry of this stored body is the same without thinking: it ends in front of the messages, and the model renders thinking
 * behind tools and system prompt.
 */
export function sparesThinking(
  root: JsonObject,
  { settingsBeforeMessages }: Pick<ModelFacts, 'settingsBeforeMessages'>,
): boolean {
  return settingsBeforeMessages === true && items(member(root, 'messages')).length === 0
}

export const THINKING_SPARED: Advice = {
  cause: 'probe_without_thinking',
  message:
    'Probes ask for no thinking: the prefix ends in front of the messages, and this model reads the same entry with thinking and without.',
  at: 'thinking',
}
