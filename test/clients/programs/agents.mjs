/** OpenAI Agents. Its base URL is OPENAI_BASE_URL, which the SDK inside it reads. */
import { Agent, Runner, setDefaultOpenAIClient, setTracingDisabled, tool } from '@openai/agents'
import OpenAI from 'openai'
import { PARAMETERS, TOOL, guide, lookUp } from '../guide.mjs'

setTracingDisabled(true)
setDefaultOpenAIClient(new OpenAI({ maxRetries: 0 }))
const agent = new Agent({
  name: 'Clerk',
  model: 'gpt-5.5', // from GPT-5.6 on its stream parser refuses OpenAI's own cache_write_tokens_details
  instructions: guide('openai-agents'),
  tools: [tool({ ...TOOL, strict: false, parameters: { ...PARAMETERS, additionalProperties: true }, execute: lookUp })],
})
const runner = new Runner()
const cachedBy = ({ rawResponses }) => rawResponses.at(-1).usage.inputTokensDetails[0].cached_tokens

export default {
  'openai-agents': {
    provider: 'openai',
    async plain(question) {
      const result = await runner.run(agent, question)
      return { text: result.finalOutput, cached: cachedBy(result) }
    },
    async stream(question, heard, signal) {
      const result = await runner.run(agent, question, { stream: true, signal })
      for await (const delta of result.toTextStream()) heard(delta)
      await result.completed
      signal?.throwIfAborted()
      return { text: result.finalOutput, cached: cachedBy(result) }
    },
    async tools(question) {
      const result = await runner.run(agent, question)
      const call = result.newItems.find(({ type }) => type === 'tool_call_item')
      return { called: call.rawItem.name, text: result.finalOutput, cached: cachedBy(result) }
    },
  },
}
