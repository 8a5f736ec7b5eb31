import type { Reply } from '../../../core/conversation/turn.ts'
import type { Fields } from '../shared/usage.ts'
import { fields } from '../shared/usage.ts'
import {
  argumentsOf,
  listOf,
  nativeList,
  nativeText,
  saidOf,
  systemOf,
  textOf,
  UNMARKED,
} from '../shared/turn-format.ts'
import type { Said } from '../shared/turn-format.ts'
import { MAX_POINTS } from './cache-points.ts'
import type { Conversation, ProbeRequest, TurnFormat } from '../../dialect.ts'

type Block = Record<string, unknown>

const KIND = 'bedrock-converse'

/**
 * Amazon Bedrock Converse. It has no setting that forbids tools, so the last call asks in words, behind the last cache point.
 * Source: @aws-sdk/client-bedrock-runtime 3.1162.0 types and the AWS prompt caching guide, checked 2026-11-21.
 */
export const converseTurns: TurnFormat = {
  request,
  markable: ({ cache }) => (takesPoints(cache) ? { most: MAX_POINTS, tools: true, answers: 'all' } : UNMARKED),
  reply,
  delta: () => '',
  endsAtResults: true,
}

/** Whether the retention is one of a cache point. */
function takesPoints(cache: Conversation['cache']): boolean {
  return cache !== null && (cache.retention === '5m' || cache.retention === '1h')
}

const NO_TOOLS = 'Answer now, without calling a tool.'

function request(conversation: Conversation): ProbeRequest {
  const { model, messages, breakpoints, volatileText, maxOutputTokens, cache, tools, noTools } = conversation
  const ttl = cache?.retention === '1h' ? { ttl: '1h' } : {}
  const point: Block[] = takesPoints(cache) ? [{ cachePoint: { type: 'default', ...ttl } }] : []
  const headPoint = breakpoints.head ? point : []
  const system = systemOf(messages)
  const isToolsEndMarked = breakpoints.tools === true || (system === '' && breakpoints.head)
  const listed: Block[] = tools.map(({ name, description, parameters }) => ({
    toolSpec: { name, description, inputSchema: { json: parameters } },
  }))
  const said: { role: 'user' | 'assistant'; content: Block[] }[] = []
  for (const { message, marked, parts } of saidOf(conversation)) {
    const role = message.role === 'assistant' ? 'assistant' : 'user'
    const blocks = blocksOf(message)
    const open = blocks.filter((block) => !('reasoningContent' in block))
    const ends = new Set([...parts].map((part) => open[part]))
    const content = [
      ...blocks.flatMap((block) => (ends.has(block) ? [block, ...point] : [block])),
      ...(marked ? point : []),
    ]
    const before = said.at(-1)
    // Roles must alternate, and the results of one round are in one message.
    if (before?.role === role) before.content.push(...content)
    else said.push({ role, content })
  }
  const texts = [...(volatileText === null ? [] : [volatileText]), ...(tools.length > 0 && noTools ? [NO_TOOLS] : [])]
  for (const text of texts) said.at(-1)?.content.push({ text })
  const body = {
    ...(listed.length === 0 ? {} : { toolConfig: { tools: [...listed, ...(isToolsEndMarked ? point : [])] } }),
    ...(system === '' ? {} : { system: [{ text: system }, ...headPoint] }),
    messages: said,
    inferenceConfig: { maxTokens: maxOutputTokens },
  }
  const path = `/model/${encodeURIComponent(model)}/converse`
  return { path, body: JSON.stringify(body), outputTokens: maxOutputTokens }
}

function blocksOf(message: Said): Block[] {
  if (message.role === 'user') return [{ text: message.text }]
  if (message.role === 'tool') {
    const status = message.isError === true ? { status: 'error' } : {}
    return [{ toolResult: { toolUseId: message.callId, content: [{ text: message.text }], ...status } }]
  }
  const native = nativeList(message.native, KIND)
  if (native !== null) return native.map((block) => ({ ...fields(block) }))
  return [
    ...(message.text === '' ? [] : [{ text: message.text }]),
    ...(message.toolCalls ?? []).map(({ id, name, arguments: given }) => ({
      toolUse: { toolUseId: id, name, input: argumentsOf(given) },
    })),
  ]
}

function reply(events: readonly Fields[]): Reply {
  const answer = events[0] ?? {}
  const content = listOf(fields(fields(answer['output'])?.['message'])?.['content'])
  const calls = content.map(({ toolUse }) => fields(toolUse)).filter((call) => call !== null)
  return {
    text: content.map(({ text }) => textOf(text)).join(''),
    complete: answer['stopReason'] !== 'max_tokens',
    toolCalls: calls.map(({ toolUseId, name, input }) => ({
      id: textOf(toolUseId),
      name: textOf(name),
      arguments: JSON.stringify(input ?? {}),
    })),
    native:
      calls.length === 0
        ? null
        : nativeText(
            KIND,
            content.filter((block) => block['text'] !== ''),
          ),
  }
}
