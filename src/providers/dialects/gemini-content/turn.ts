import type { Reply } from '../../../core/conversation/turn.ts'
import type { Wire } from '../../wire.ts'
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
import type { Conversation, ProbeRequest, TurnFormat } from '../../dialect.ts'

type Part = Record<string, unknown>

const KIND = 'gemini-content'
/** Start of the ids that we assign where the model gave none. They are not sent. */
const OWN_ID = 'own_'

/**
 * Gemini generateContent, whose cache needs no markers. The signature of a function call is sent back with it.
 * Source: @google/genai 3.1.0 types; ai.google.dev function calling and thought signatures, checked 2026-11-21.
 */
export function geminiTurns(wire: Wire): TurnFormat {
  return {
    request: (conversation) => request(conversation, wire),
    markable: () => UNMARKED,
    reply,
    delta,
    endsAtResults: true,
  }
}

function request(conversation: Conversation, wire: Wire): ProbeRequest {
  const { model, messages, volatileText, maxOutputTokens, tools, noTools, stream } = conversation
  const system = systemOf(messages)
  const names = new Map<string, string>()
  const contents: { role: string; parts: Part[] }[] = []
  for (const { message } of saidOf(conversation)) {
    if (message.role === 'assistant') for (const { id, name } of message.toolCalls ?? []) names.set(id, name)
    const parts = partsOf(message, names)
    const before = contents.at(-1)
    // The results of one round are in one content.
    if (message.role === 'tool' && before?.parts.some((part) => 'functionResponse' in part) === true) {
      before.parts.push(...parts)
    } else contents.push({ role: message.role === 'assistant' ? 'model' : 'user', parts })
  }
  if (volatileText !== null) {
    const last = contents.at(-1)
    const isResult = last?.parts.some((part) => 'functionResponse' in part) === true
    if (last?.role === 'user' && !isResult) last.parts.push({ text: volatileText })
    else contents.push({ role: 'user', parts: [{ text: volatileText }] })
  }
  const declarations = tools.map(({ name, description, parameters }) => ({
    name,
    description,
    parametersJsonSchema: parameters,
  }))
  const body = {
    ...(system === '' ? {} : { systemInstruction: { parts: [{ text: system }] } }),
    ...(tools.length === 0 ? {} : { tools: [{ functionDeclarations: declarations }] }),
    ...(tools.length > 0 && noTools ? { toolConfig: { functionCallingConfig: { mode: 'NONE' } } } : {}),
    contents,
    generationConfig: { maxOutputTokens },
  }
  const plain = model.replace(/^models\//, '')
  const resource = plain.startsWith('tunedModels/') ? plain : `models/${plain}`
  const verb = stream ? 'streamGenerateContent?alt=sse' : 'generateContent'
  return { path: `${wire.version}/${resource}:${verb}`, body: JSON.stringify(body), outputTokens: maxOutputTokens }
}

function partsOf(message: Said, names: ReadonlyMap<string, string>): Part[] {
  if (message.role === 'user') return [{ text: message.text }]
  if (message.role === 'tool') {
    const { callId, text, isError } = message
    const id = callId.startsWith(OWN_ID) ? {} : { id: callId }
    const response = isError === true ? { error: text } : { output: text }
    return [{ functionResponse: { ...id, name: names.get(callId) ?? '', response } }]
  }
  const native = nativeList(message.native, KIND)
  if (native !== null) return native.map((part) => ({ ...fields(part) }))
  return [
    ...(message.text === '' ? [] : [{ text: message.text }]),
    ...(message.toolCalls ?? []).map(({ name, arguments: given }) => ({
      functionCall: { name, args: argumentsOf(given) },
    })),
  ]
}

function reply(events: readonly Fields[]): Reply {
  const candidates = events.flatMap(({ candidates: given }) => listOf(given).slice(0, 1))
  const parts = candidates.flatMap(({ content }) => listOf(fields(content)?.['parts']))
  const calls = parts.map(({ functionCall }) => fields(functionCall)).filter((call) => call !== null)
  return {
    text: parts.flatMap((part) => (part['thought'] === true ? [] : [textOf(part['text'])])).join(''),
    complete: !candidates.some(({ finishReason }) => finishReason === 'MAX_TOKENS'),
    toolCalls: calls.map(({ id, name, args }, index) => ({
      id: textOf(id) || `${OWN_ID}${index}_${textOf(name)}`,
      name: textOf(name),
      arguments: JSON.stringify(args ?? {}),
    })),
    native: calls.length === 0 ? null : nativeText(KIND, joined(parts.filter((part) => part['thought'] !== true))),
  }
}

/** Joins the pieces of a text from a stream into one part. */
function joined(parts: readonly Fields[]): Part[] {
  const result: Part[] = []
  for (const part of parts) {
    const before = result.at(-1)
    if (before !== undefined && isPlain(before) && isPlain(part))
      before['text'] = `${textOf(before['text'])}${textOf(part['text'])}`
    else result.push({ ...part })
  }
  return result
}

function isPlain(part: Fields): boolean {
  return Object.keys(part).join() === 'text'
}

function delta(event: Fields): string {
  const parts = listOf(fields(listOf(event['candidates'])[0]?.['content'])?.['parts'])
  return parts.flatMap((part) => (part['thought'] === true ? [] : [textOf(part['text'])])).join('')
}
