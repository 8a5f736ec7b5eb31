import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Anthropic from '@anthropic-ai/sdk'
import { FunctionCallingConfigMode, GoogleGenAI, ThinkingLevel } from '@google/genai'
import OpenAI from 'openai'
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { readFailure } from '../../../src/contract/failure.ts'
import { SETTING_NAMES } from '../../../src/contract/neutral-settings.ts'
import { warmBody } from '../../../src/contract/warm.ts'
import { dialectOf } from '../../../src/providers/registry.ts'
import { parseBody, WARM_RAW } from '../../../src/registration/json-body.ts'
import { prepareWarm } from '../../../src/registration/prepare.ts'
import { NOON } from '../../support/sample.ts'

const system = 'Answer from the policy. '.repeat(900)
const order = z.object({ total: z.number() })
const schema = z.toJSONSchema(order, { target: 'draft-7' })
const tools = ['find', 'book'].map((name) => ({ name, parameters: { type: 'object', properties: {} } }))
const prepared = (body: object) =>
  prepareWarm(parseBody(JSON.stringify({ system, tools, ...body }), warmBody, WARM_RAW), NOON)
const rendered = (body: object) => JSON.parse(prepared(body).prefix.text) as Record<string, unknown>

function probe(body: object): Record<string, unknown> {
  const { card, prefix, registration } = prepared(body)
  const { retention, primitives } = registration
  const sent = dialectOf(card).probe(prefix, { primitive: primitives[0]!, retention })
  return JSON.parse(sent.body) as Record<string, unknown>
}

function refusal(body: object): [kind: string, field: unknown, message: string] {
  try {
    prepared(body)
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure !== null) return [failure.kind, failure.detail?.['field'], failure.message]
    throw thrown
  }
  return ['none', null, '']
}

const claude = { provider: 'anthropic', model: 'claude-sonnet-4-5' }
const chat = { provider: 'openai-chat', model: 'gpt-5.6-sol' }
const responses = { provider: 'openai', model: 'gpt-5.6-sol' }
const flash = { provider: 'gemini', model: 'gemini-3.8-flash' }
const converse = { provider: 'bedrock', model: 'anthropic.claude-sonnet-4-5' }
const nova = { provider: 'bedrock', model: 'amazon.nova-pro-v1:0' }

/** Members that the vendors' programs send beside those of the neutral form. */
const OTHERS = ['messages', 'contents', 'input', 'system', 'systemInstruction', 'tools', 'max_tokens', 'model']
const settingsIn = (body: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(body).filter(([name]) => !OTHERS.includes(name)))

describe('the settings of one call', () => {
  let server: Server
  let url = ''
  let sent: Record<string, unknown> = {}
  beforeAll(async () => {
    server = createServer((request, response) => {
      const pieces: Buffer[] = []
      request.on('data', (piece: Buffer) => pieces.push(piece))
      request.on('end', () => {
        sent = JSON.parse(Buffer.concat(pieces).toString()) as Record<string, unknown>
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end('{"candidates":[],"choices":[],"output":[],"content":[]}')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))

  it('are what the SDK of Anthropic sends', async () => {
    await new Anthropic({ apiKey: 'k', baseURL: url }).messages.create({
      model: claude.model,
      max_tokens: 9,
      messages: [],
      tool_choice: { type: 'tool', name: 'find', disable_parallel_tool_use: true },
      stop_sequences: ['END'],
      // Its types have forgotten these, and older models take them.
      ...({ temperature: 1, top_p: 0.9, top_k: 40 } as object),
      thinking: { type: 'disabled' },
      output_config: { effort: 'low', format: { type: 'json_schema', schema } },
    })
    const given = {
      tool_choice: { tool: 'find' },
      parallel_tool_calls: false,
      temperature: 1,
      top_p: 0.9,
      top_k: 40,
      stop: 'END',
      effort: 'low',
      thinking: 'disabled',
      response_schema: schema,
    }
    expect(settingsIn(rendered({ ...claude, ...given }))).toEqual(settingsIn(sent))
  })

  const openai = {
    tool_choice: { tool: 'find' },
    parallel_tool_calls: false,
    temperature: 0.5,
    top_p: 0.9,
    seed: 7,
    presence_penalty: 0.1,
    frequency_penalty: -0.1,
    stop: ['END', 'STOP'],
    effort: 'low',
    response_schema: { name: 'order', schema },
  }

  it('are what the SDK of OpenAI sends to Chat Completions', async () => {
    await new OpenAI({ apiKey: 'k', baseURL: url }).chat.completions.create({
      model: chat.model,
      messages: [],
      tool_choice: { type: 'function', function: { name: 'find' } },
      parallel_tool_calls: false,
      temperature: 0.5,
      top_p: 0.9,
      seed: 7,
      presence_penalty: 0.1,
      frequency_penalty: -0.1,
      stop: ['END', 'STOP'],
      reasoning_effort: 'low',
      response_format: zodResponseFormat(order, 'order'),
    })
    expect(settingsIn(rendered({ ...chat, ...openai }))).toEqual(settingsIn(sent))
  })

  it('are what the SDK of OpenAI sends to Responses, which has fewer of sampling', async () => {
    await new OpenAI({ apiKey: 'k', baseURL: url }).responses.create({
      model: responses.model,
      input: [],
      tool_choice: { type: 'function', name: 'find' },
      parallel_tool_calls: false,
      temperature: 0.5,
      top_p: 0.9,
      reasoning: { effort: 'low' },
      text: { format: zodTextFormat(order, 'order') },
    })
    const body = { ...responses, ...openai }
    expect(settingsIn(rendered(body))).toEqual(settingsIn(sent))
    const left = prepared(body).registration.advice.filter(({ cause }) => cause === 'sampling_left_out')
    expect(left.map(({ at }) => at)).toEqual(['seed', 'presence_penalty', 'frequency_penalty', 'stop'])
  })

  it('are what the SDK of Google sends', async () => {
    const client = new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: url } })
    await client.models.generateContent({
      model: flash.model,
      contents: '',
      config: {
        toolConfig: {
          functionCallingConfig: { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ['find'] },
        },
        temperature: 0.5,
        topP: 0.9,
        topK: 40,
        seed: 7,
        presencePenalty: 0.1,
        frequencyPenalty: -0.1,
        stopSequences: ['END'],
        responseMimeType: 'application/json',
        responseJsonSchema: schema,
        thinkingConfig: { thinkingLevel: ThinkingLevel.LOW },
      },
    })
    const { parallel_tool_calls: _, ...rest } = openai
    const given = { ...rest, top_k: 40, stop: 'END', response_schema: schema }
    expect(settingsIn(rendered({ ...flash, ...given }))).toEqual(settingsIn(sent))
  })
})

it('are in Converse’s own members, and in those of Claude where it has none', () => {
  const given = {
    tool_choice: 'required',
    temperature: 0.5,
    top_p: 0.9,
    top_k: 40,
    stop: 'END',
    effort: 'low',
    seed: 7,
    thinking: { budget_tokens: 2048 },
    response_schema: { name: 'order', schema },
  }
  expect(settingsIn(rendered({ ...converse, ...given }))).toEqual({
    inferenceConfig: { temperature: 0.5, topP: 0.9, stopSequences: ['END'] },
    additionalModelRequestFields: {
      top_k: 40,
      thinking: { type: 'enabled', budget_tokens: 2048 },
      output_config: { effort: 'low' },
    },
    outputConfig: {
      textFormat: { type: 'json_schema', structure: { jsonSchema: { schema: JSON.stringify(schema), name: 'order' } } },
    },
    toolConfig: { tools: expect.any(Array), toolChoice: { any: {} } },
  })
  const single = rendered({ ...converse, parallel_tool_calls: false, tool_choice: 'auto' })
  expect(single['additionalModelRequestFields']).toEqual({
    tool_choice: { type: 'auto', disable_parallel_tool_use: true },
  })
  expect(single['toolConfig']).not.toHaveProperty('toolChoice')
})

describe('thinking', () => {
  it.each([
    [claude, { budget_tokens: 2048 }, { max_tokens: 3072, thinking: { type: 'enabled', budget_tokens: 2048 } }],
    [{ ...claude, model: 'claude-opus-5' }, 'adaptive', { thinking: { type: 'adaptive' } }],
    [{ ...claude, model: 'claude-opus-5' }, 'between_tools', { thinking: { type: 'between_tools' } }],
    [
      { ...flash, model: 'gemini-2.5-flash' },
      'disabled',
      { generationConfig: { thinkingConfig: { thinkingBudget: 0 } } },
    ],
    [
      { ...flash, model: 'gemini-2.5-flash' },
      'adaptive',
      { generationConfig: { thinkingConfig: { thinkingBudget: -1 } } },
    ],
    [flash, { budget_tokens: 2048 }, { generationConfig: { thinkingConfig: { thinkingBudget: 2048 } } }],
    [{ provider: 'deepseek', model: 'deepseek-v4-pro' }, 'disabled', { thinking: { type: 'disabled' } }],
    [{ provider: 'moonshot', model: 'kimi-k3' }, 'enabled', { thinking: { type: 'enabled' } }],
    [{ provider: 'openrouter', model: 'x/y' }, { budget_tokens: 2048 }, { reasoning: { max_tokens: 2048 } }],
    [
      { provider: 'openrouter', model: 'x/y', effort: 'low' },
      'enabled',
      { reasoning: { effort: 'low', enabled: true } },
    ],
  ])('of %j as %j', (model, thinking, expected) => {
    expect(rendered({ ...model, thinking })).toMatchObject(expected)
  })
})

describe('what changes the prefix and has no member is refused with its field', () => {
  it.each([
    [{ ...responses, thinking: 'adaptive' }, 'thinking'],
    [{ ...chat, thinking: { budget_tokens: 2048 } }, 'thinking'],
    [{ ...claude, effort: 'none' }, 'effort'],
    [{ ...claude, thinking: 'enabled' }, 'thinking'],
    [{ ...claude, model: 'claude-opus-5', thinking: { budget_tokens: 2048 } }, 'thinking'],
    [{ ...claude, response_schema: { schema, strict: false } }, 'response_schema.strict'],
    [{ ...claude, response_schema: { schema, description: 'An order.' } }, 'response_schema.description'],
    [{ ...flash, effort: 'max' }, 'effort'],
    [{ ...flash, effort: 'low', thinking: 'adaptive' }, 'effort'],
    [{ ...flash, model: 'gemini-2.5-flash', effort: 'low' }, 'effort'],
    [{ ...flash, parallel_tool_calls: false }, 'parallel_tool_calls'],
    [{ ...converse, tool_choice: 'none' }, 'tool_choice'],
    [{ ...converse, tool_choice: 'required', parallel_tool_calls: false }, 'parallel_tool_calls'],
    [{ ...nova, thinking: 'adaptive' }, 'thinking'],
    [{ ...nova, effort: 'low' }, 'effort'],
    [{ provider: 'deepseek', model: 'deepseek-v4-pro', response_schema: schema }, 'response_schema'],
    [{ provider: 'deepseek', model: 'deepseek-v4-pro', thinking: 'adaptive' }, 'thinking'],
    [{ provider: 'ollama', model: 'm', tool_choice: 'required' }, 'tool_choice'],
    [{ provider: 'openrouter', model: 'x/y', effort: 'low', thinking: { budget_tokens: 1 } }, 'effort'],
    [{ provider: 'openrouter', model: 'x/y', thinking: 'adaptive' }, 'thinking'],
  ])('%j', (body, field) => {
    expect(refusal(body)).toEqual(['unsupported', field, expect.stringMatching(new RegExp(`^${field}: .+\\.$`))])
  })
})

describe('what contradicts the rest is refused with its field', () => {
  it.each([
    [{ tool_choice: 'auto', tools: [] }, 'tool_choice'],
    [{ parallel_tool_calls: true, tools: [] }, 'parallel_tool_calls'],
    [{ tool_choice: { tool: 'lose' } }, 'tool_choice.tool'],
    [{ tool_choice: { tool: 'find' }, tool_filter: { deny: ['find'] } }, 'tool_choice.tool'],
    [{ tool_choice: 'often' }, 'tool_choice'],
    [{ temperature: 2.1 }, 'temperature'],
    [{ temperature: '1' }, 'temperature'],
    [{ top_p: -0.1 }, 'top_p'],
    [{ top_k: 0 }, 'top_k'],
    [{ seed: 1.5 }, 'seed'],
    [{ stop: [] }, 'stop'],
    [{ stop: Array.from({ length: 17 }, () => 'x') }, 'stop'],
    [{ effort: 'huge' }, 'effort'],
    [{ thinking: 'a lot' }, 'thinking'],
    [{ thinking: { budget_tokens: 0 } }, 'thinking.budget_tokens'],
    [{ thinking: { budget_tokens: 512 } }, 'thinking.budget_tokens'],
    [{ response_schema: [] }, 'response_schema'],
    [{ response_schema: { schema: 1 } }, 'response_schema.schema'],
    [{ response_schema: { schema, name: 'an order' } }, 'response_schema.name'],
    [{ response_schema: { schema, strict: 'yes' } }, 'response_schema.strict'],
    [{ response_schema: { schema, extra: 1 } }, 'response_schema'],
  ])('%j', (more, field) => {
    expect(refusal({ ...claude, ...more }).slice(0, 2)).toEqual(['invalid_request', field])
  })

  it('every setting beside the native form', () => {
    const request = { model: 'claude-opus-5', max_tokens: 9, system, messages: [] }
    for (const name of SETTING_NAMES) {
      const body = { provider: 'anthropic', request, [name]: name === 'response_schema' ? {} : valid[name] }
      const read = () => prepareWarm(parseBody(JSON.stringify(body), warmBody, WARM_RAW), NOON)
      expect(read).toThrow(new RegExp(`${name}: must be absent`))
    }
  })
})

const valid: Record<string, unknown> = {
  tool_choice: 'auto',
  parallel_tool_calls: true,
  temperature: 1,
  top_p: 1,
  top_k: 1,
  seed: 1,
  stop: 'x',
  presence_penalty: 0,
  frequency_penalty: 0,
  effort: 'low',
  thinking: 'adaptive',
}

describe('the prefix', () => {
  const fingerprint = (body: object): string => prepared(body).registration.fingerprint

  it('is the same with every sampling, and probes carry none', () => {
    const sampling = {
      temperature: 0.3,
      top_p: 0.2,
      top_k: 3,
      seed: 5,
      presence_penalty: 1,
      frequency_penalty: 1,
      stop: 'x',
    }
    for (const model of [claude, chat, responses, flash, converse]) {
      expect(fingerprint({ ...model, ...sampling })).toBe(fingerprint(model))
      const { additionalModelRequestFields: more, ...sent } = probe({ ...model, ...sampling })
      expect(sent).toEqual(probe(model))
      expect(more ?? {}).toEqual({})
    }
  })

  it.each([
    [chat, { effort: 'low' }, { reasoning_effort: 'low' }],
    [responses, { effort: 'low' }, { reasoning: { effort: 'low' } }],
    [responses, { response_schema: schema }, { text: { format: { type: 'json_schema' } } }],
    [chat, { parallel_tool_calls: false }, { parallel_tool_calls: false }],
    [{ ...claude, model: 'claude-opus-5' }, { effort: 'low' }, { output_config: { effort: 'low' } }],
    [{ ...claude, model: 'claude-opus-5' }, { thinking: 'disabled' }, { thinking: { type: 'disabled' } }],
    // Settings of this model stand in front of its messages alone.
    [
      { ...claude, model: 'claude-opus-4-8', messages: [{ role: 'user', content: 'Hello' }] },
      { thinking: 'adaptive' },
      { thinking: { type: 'adaptive' } },
    ],
    [flash, { effort: 'low' }, { generationConfig: { thinkingConfig: { thinkingLevel: 'LOW' } } }],
    [flash, { tool_choice: 'required' }, { toolConfig: { functionCallingConfig: { mode: 'ANY' } } }],
  ])('of %j is another one with %j, which probes carry', (model, setting, carried) => {
    expect(fingerprint({ ...model, ...setting })).not.toBe(fingerprint(model))
    expect(probe({ ...model, ...setting })).toMatchObject(carried)
  })

  it('keeps the bytes of the schema', () => {
    const text = '{ "type":"object", "properties":{ "b":{"type":"number","maximum":1e400}, "a":{"const":"\\u00e9"} } }'
    const body = (member: string) =>
      `{"provider":"openai","model":"gpt-5.6-sol","system":${JSON.stringify(system)},${member}}`
    for (const member of [`"response_schema":${text}`, `"response_schema":{"schema":${text}}`]) {
      expect(prepareWarm(parseBody(body(member), warmBody, WARM_RAW), NOON).prefix.text).toContain(text)
    }
  })
})

it('sampling is left out where the model refuses it, with advice', () => {
  const body = { ...claude, model: 'claude-opus-5', temperature: 0.5, stop: 'END' }
  expect(rendered(body)).not.toHaveProperty('temperature')
  expect(rendered(body)).toMatchObject({ stop_sequences: ['END'] })
  expect(prepared(body).registration.advice).toContainEqual({
    cause: 'sampling_left_out',
    at: 'temperature',
    message: expect.stringMatching(/^temperature is left out: this model takes no sampling parameters\./),
  })
})
