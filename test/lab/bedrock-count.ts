/**
 * Bedrock's CountTokens. Sources, checked 2026-12-01: AWS docs, bedrock/latest/userguide/count-tokens; npm @aws-sdk/client-bedrock-runtime
 * 3.1162.0, `CountTokensRequest`; boto/botocore#3707 (200,000 tokens at most); pydantic/pydantic-ai#4001 and Portkey-AI/gateway#1437 (no profiles).
 */
import { bedrockModel } from './bedrock-models.ts'
import { bedrockPrompt } from './bedrock-prompt.ts'
import { checkBedrock } from './bedrock-rules.ts'
import { freeCount } from './counting.ts'
import type { Answer, Call } from './dialect.ts'
import { isObject, member, parseJson, stringAt } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'
import { LAB_PREFIX } from './models.ts'

const MOST_TOKENS = 200_000
const CONVERSE = new Set(['messages', 'system', 'toolConfig', 'additionalModelRequestFields'])

/** Ids of models that it counts, as github.com/danilop/ttok4bedrock lists them, and those of the lab. */
const COUNTED =
  /^anthropic\.claude-(?:(?:sonnet|opus)-4-[56]|haiku-4-5|opus-4-1|(?:sonnet|opus)-4(?=-20)|3-7-sonnet|3-5-(?:sonnet|haiku))(?:-20\d{6})?(?:-v\d+(?::\d+)?)?$/

export type Refuse = (status: number, name: string, message: string) => Error

/** The request in the body, as Converse takes it. InvokeModel's is the vendor's own, in base64. */
export function countedConverse(body: JsonObject, model: string, refuse: Refuse): JsonObject {
  const invalid = (message: string): Error => refuse(400, 'ValidationException', message)
  if (!COUNTED.test(model) && !model.startsWith(LAB_PREFIX))
    throw invalid("The provided model doesn't support counting tokens.")
  const input = member(body, 'input')
  const kinds = isObject(input) ? [...input.keys()] : []
  if (!isObject(input) || body.size !== 1 || kinds.length !== 1)
    throw refuse(400, 'SerializationException', 'Expected exactly one member of the union input.')
  const converse = member(input, 'converse')
  if (isObject(converse)) {
    const other = [...converse.keys()].find((name) => !CONVERSE.has(name))
    if (other !== undefined) throw refuse(400, 'SerializationException', `Unexpected field ${other}.`)
    return converse
  }
  const invoked = member(input, 'invokeModel')
  const native = decoded(stringAt(invoked, 'body'))
  if (native === null) throw refuse(400, 'SerializationException', 'input holds neither converse nor invokeModel.')
  return asConverse(native, invalid)
}

function decoded(base64: string | undefined): JsonObject | null {
  if (base64 === undefined) return null
  let read: JsonNode
  try {
    read = parseJson(Buffer.from(base64, 'base64').toString('utf8'))
  } catch {
    return null
  }
  return isObject(read) ? read : null
}

/** Anthropic's body as Converse would have it: only texts are told apart. */
function asConverse(native: JsonObject, invalid: (message: string) => Error): JsonObject {
  if (stringAt(native, 'anthropic_version') !== 'bedrock-2023-05-31') throw invalid('anthropic_version: Field required')
  if (member(native, 'max_tokens') === undefined) throw invalid('max_tokens: Field required')
  const blocks = (node: JsonNode | undefined): JsonNode[] =>
    typeof node === 'string' ? [new Map<string, JsonNode>([['text', node]])] : Array.isArray(node) ? node.map(bare) : []
  const messages = member(native, 'messages')
  return new Map<string, JsonNode>([
    ['system', blocks(member(native, 'system'))],
    [
      'messages',
      (Array.isArray(messages) ? messages : []).map((message): JsonNode => {
        const role = stringAt(message, 'role') ?? ''
        return new Map<string, JsonNode>([
          ['role', role],
          ['content', blocks(member(message, 'content'))],
        ])
      }),
    ],
  ])
}

function bare(block: JsonNode): JsonNode {
  const text = stringAt(block, 'text')
  return text === undefined ? block : new Map<string, JsonNode>([['text', text]])
}

/** Counts a Converse request that `countedConverse` took. It reads and writes no cache. */
export function countBedrock(call: Call, id: string, body: JsonObject, refuse: Refuse): Answer {
  const model = bedrockModel(id)
  const reason = model === undefined ? 'The provided model identifier is invalid.' : checkBedrock(body, model)
  if (model === undefined || reason !== undefined) throw refuse(400, 'ValidationException', reason ?? '')
  const tokens = bedrockPrompt(body, model).totalTokens
  if (tokens > MOST_TOKENS)
    throw refuse(400, 'ValidationException', `prompt is too long: ${tokens} tokens > ${MOST_TOKENS} maximum`)
  return {
    json: { inputTokens: freeCount(tokens) },
    headers: { 'content-type': 'application/json', 'x-amzn-requestid': `lab-${call.seq}` },
    begunAt: call.at,
    endsAt: call.at,
    usage: null,
  }
}
