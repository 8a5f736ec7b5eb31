/** The official Anthropic SDK. Its base URL is ANTHROPIC_BASE_URL, which it reads itself. */
import Anthropic from '@anthropic-ai/sdk'
import { PARAMETERS, TOOL, guide, lookUp } from '../guide.mjs'

const anthropic = new Anthropic({ maxRetries: 0 })
const shared = {
  model: 'claude-opus-4-8',
  max_tokens: 256,
  tools: [{ ...TOOL, input_schema: PARAMETERS }],
  system: [{ type: 'text', text: guide('anthropic'), cache_control: { type: 'ephemeral' } }],
}
const ask = (content) => ({ ...shared, messages: [{ role: 'user', content }] })
const textOf = ({ content }) => content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('')

export default {
  anthropic: {
    provider: 'anthropic',
    async plain(question) {
      const message = await anthropic.messages.create(ask(question))
      return { text: textOf(message), cached: message.usage.cache_read_input_tokens }
    },
    async stream(question, heard, signal) {
      const stream = anthropic.messages.stream(ask(question), { signal })
      stream.on('text', heard)
      const message = await stream.finalMessage()
      return { text: textOf(message), cached: message.usage.cache_read_input_tokens }
    },
    async tools(question) {
      const first = await anthropic.messages.create(ask(question))
      const [call] = first.content.filter(({ type }) => type === 'tool_use')
      const second = await anthropic.messages.create({
        ...shared,
        messages: [
          ...ask(question).messages,
          { role: 'assistant', content: first.content },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: lookUp(call.input) }] },
        ],
      })
      return { called: call.name, text: textOf(second), cached: second.usage.cache_read_input_tokens }
    },
  },
}
