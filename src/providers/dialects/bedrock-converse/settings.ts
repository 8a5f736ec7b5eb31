import { items, member } from '../../../core/prompt/json-text.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import { memberStream } from '../shared/body.ts'
import type { Body } from '../shared/body.ts'
import { ANY, settingsOf } from '../shared/settings.ts'
import type { Defaults } from '../shared/settings.ts'
import { outputDefault, thinkingDefault } from '../anthropic-messages/settings.ts'
import { toolList } from './cache-points.ts'
import type { Setting } from '../../compared.ts'

/**
 * Members that change neither the prompt nor the entry that it reads. SDKs name the model of the path `modelId`.
 * Source: npm @aws-sdk/client-bedrock-runtime 3.1162.0 types, checked 2026-11-30. Assumed of `guardrailConfig`, `performanceConfig` and
 * `serviceTier`: a guardrail judges a prompt and writes nothing into it, and the others choose a queue. No page says what they do to entries.
 */
const NOT_COMPARED = new Set([
  'modelId',
  'toolConfig',
  'system',
  'messages',
  'inferenceConfig',
  'requestMetadata',
  'performanceConfig',
  'guardrailConfig',
  'serviceTier',
  'additionalModelResponseFieldPaths',
])

function defaults(facts: Pick<ModelFacts, 'thinksByDefault' | 'defaultEffort'>): Readonly<Record<string, Defaults>> {
  return {
    promptVariables: {},
    additionalModelRequestFields: {
      thinking: thinkingDefault(facts),
      output_config: outputDefault(facts),
      // Sampling: of Claude, and of Nova.
      top_k: ANY,
      top_p: ANY,
      temperature: ANY,
      stop_sequences: ANY,
      inferenceConfig: ANY,
    },
  }
}

const MESSAGES = 2
/** On some models these are rendered in front of everything: the card says where they are not. */
const RENDERED = { additionalModelRequestFields: MESSAGES, outputConfig: MESSAGES }
const CHOICE = 'toolChoice'
const AUTO: Readonly<Record<string, Defaults>> = { [CHOICE]: ['{"auto":{}}'] }

/** The parameters that are compared beside tools, system prompt and messages. They are rendered as at Anthropic's own API. */
export function converseSettings(
  body: Body,
  facts: Pick<ModelFacts, 'settingsBeforeMessages' | 'thinksByDefault' | 'defaultEffort'>,
): Setting[] {
  const config = member(body.root, 'toolConfig')
  const choice =
    config?.type === 'object'
      ? settingsOf(
          { text: body.text, root: config },
          { without: new Set(['tools']), defaults: AUTO, before: { [CHOICE]: MESSAGES } },
        )
      : []
  const before = facts.settingsBeforeMessages === true ? RENDERED : {}
  return [...choice, ...settingsOf(body, { without: NOT_COMPARED, defaults: defaults(facts), before })]
}

/** The canonical stream of the tools, without the choice among them. */
export function toolConfigStream(body: Body): [string, string][] {
  const config = member(body.root, 'toolConfig')
  if (config?.type !== 'object' || items(toolList(body.root)).length === 0) return []
  const drop = new Set(config.members.filter(({ key }) => key !== 'tools'))
  return memberStream(body, 'toolConfig', { drop })
}
