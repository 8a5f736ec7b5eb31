/** The official OpenAI SDK, on both of its APIs. Its base URL is OPENAI_BASE_URL, which it reads itself. */
import OpenAI from 'openai'
import { PARAMETERS, TOOL, guide, lookUp } from '../guide.mjs'

const openai = new OpenAI({ maxRetries: 0 })

const responses = {
  model: 'gpt-6.1-sol',
  store: false,
  tools: [{ type: 'function', ...TOOL, parameters: PARAMETERS, strict: false }],
}
const input = (content) => [
  { role: 'developer', content: guide('openai-responses') },
  { role: 'user', content },
]
const usedBy = ({ output_text: text, usage }) => ({ text, cached: usage.input_tokens_details.cached_tokens })

const chat = {
  model: 'gpt-6-luna',
  tools: [{ type: 'function', function: { ...TOOL, parameters: PARAMETERS } }],
}
const messages = (content) => [
  { role: 'system', content: guide('openai-chat') },
  { role: 'user', content },
]
const saidBy = ({ choices, usage }) => ({
  text: choices[0].message.content,
  cached: usage.prompt_tokens_details.cached_tokens,
})

export default {
  'openai-responses': {
    provider: 'openai',
    async plain(question) {
      return usedBy(await openai.responses.create({ ...responses, input: input(question) }))
    },
    async stream(question, heard, signal) {
      const stream = openai.responses.stream({ ...responses, input: input(question) }, { signal })
      stream.on('response.output_text.delta', ({ delta }) => heard(delta))
      return usedBy(await stream.finalResponse())
    },
    async tools(question) {
      const first = await openai.responses.create({ ...responses, input: input(question) })
      const call = first.output.find(({ type }) => type === 'function_call')
      const result = { type: 'function_call_output', call_id: call.call_id, output: lookUp(JSON.parse(call.arguments)) }
      const second = await openai.responses.create({
        ...responses,
        input: [...input(question), ...first.output, result],
      })
      return { called: call.name, ...usedBy(second) }
    },
  },
  'openai-chat': {
    provider: 'openai',
    async plain(question) {
      return saidBy(await openai.chat.completions.create({ ...chat, messages: messages(question) }))
    },
    async stream(question, heard, signal) {
      const options = { ...chat, messages: messages(question), stream: true, stream_options: { include_usage: true } }
      const said = { text: '', cached: null }
      for await (const { choices, usage } of await openai.chat.completions.create(options, { signal })) {
        const delta = choices[0]?.delta.content ?? ''
        said.text += delta
        if (delta !== '') heard(delta)
        if (usage) said.cached = usage.prompt_tokens_details.cached_tokens
      }
      return said
    },
    async tools(question) {
      const first = await openai.chat.completions.create({ ...chat, messages: messages(question) })
      const { message } = first.choices[0]
      const [call] = message.tool_calls
      const result = { role: 'tool', tool_call_id: call.id, content: lookUp(JSON.parse(call.function.arguments)) }
      const second = await openai.chat.completions.create({
        ...chat,
        messages: [...messages(question), message, result],
      })
      return { called: call.function.name, ...saidBy(second) }
    },
  },
}
