/** The AI SDK with three providers. Two read their base URL from the environment; the one of Google takes it as an option. */
import { anthropic } from '@ai-sdk/anthropic'
import { createGoogle } from '@ai-sdk/google'
import { openai } from '@ai-sdk/openai'
import { generateText, isStepCount, jsonSchema, streamText, tool } from 'ai'
import { PARAMETERS, TOOL, guide, lookUp } from '../guide.mjs'

const google = createGoogle({
  baseURL: `${process.env.GOOGLE_GEMINI_BASE_URL}/v1beta`,
  apiKey: process.env.GEMINI_API_KEY,
})
const tools = {
  [TOOL.name]: tool({ description: TOOL.description, inputSchema: jsonSchema(PARAMETERS), execute: lookUp }),
}

/** `marked`: what says to Anthropic where the prefix ends. Other providers find it themselves. */
function client(name, provider, model, marked = {}) {
  const asked = (question) => ({
    model,
    tools,
    maxRetries: 0,
    instructions: { role: 'system', content: guide(name), ...marked },
    messages: [{ role: 'user', content: question }],
  })
  const cachedBy = ({ inputTokenDetails }) => inputTokenDetails.cacheReadTokens ?? 0
  return {
    provider,
    async plain(question) {
      const { text, usage } = await generateText(asked(question))
      return { text, cached: cachedBy(usage) }
    },
    async stream(question, heard, signal) {
      let failure
      const onError = ({ error }) => (failure = error)
      const result = streamText({ ...asked(question), abortSignal: signal, onError })
      let text = ''
      for await (const delta of result.textStream) {
        text += delta
        heard(delta)
      }
      signal?.throwIfAborted() // the stream of texts ends without an error then
      if (failure) throw failure
      return { text, cached: cachedBy(await result.usage) }
    },
    async tools(question) {
      const { text, steps } = await generateText({ ...asked(question), stopWhen: isStepCount(3) })
      return { called: steps[0].toolCalls[0].toolName, text, cached: cachedBy(steps.at(-1).usage) }
    },
  }
}

export default {
  'ai-sdk-anthropic': client('ai-sdk-anthropic', 'anthropic', anthropic('claude-opus-4-8'), {
    providerOptions: { anthropic: { cacheControl: { type: 'ephemeral' } } },
  }),
  'ai-sdk-openai': client('ai-sdk-openai', 'openai', openai('gpt-6.1-sol')),
  'ai-sdk-google': client('ai-sdk-google', 'gemini', google('gemini-2.5-flash')),
}
