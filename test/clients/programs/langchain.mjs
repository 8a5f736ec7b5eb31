/** LangChain with three providers. Two read their base URL from the environment; the one of Google takes it as an option. */
import { ChatAnthropic } from '@langchain/anthropic'
import { HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { ChatGoogleGenerativeAI } from '@langchain/google-genai'
import { ChatOpenAI } from '@langchain/openai'
import { PARAMETERS, TOOL, guide, lookUp } from '../guide.mjs'

const settings = { maxRetries: 0 }
const lookUpTool = tool(lookUp, { ...TOOL, schema: PARAMETERS })

/** `marked`: what says to Anthropic where the prefix ends. Other providers find it themselves. */
function client(name, provider, chat, marked = null) {
  const model = chat.bindTools([lookUpTool])
  const content = marked === null ? guide(name) : [{ type: 'text', text: guide(name), ...marked }]
  const asked = (question) => [new SystemMessage({ content }), new HumanMessage(question)]
  const saidBy = ({ text, usage_metadata: usage }) => ({ text, cached: usage.input_token_details?.cache_read ?? 0 })
  return {
    provider,
    async plain(question) {
      return saidBy(await model.invoke(asked(question)))
    },
    async stream(question, heard, signal) {
      let whole
      for await (const chunk of await model.stream(asked(question), { signal })) {
        whole = whole === undefined ? chunk : whole.concat(chunk)
        if (chunk.text !== '') heard(chunk.text)
      }
      return saidBy(whole)
    },
    async tools(question) {
      const first = await model.invoke(asked(question))
      const [call] = first.tool_calls
      const result = new ToolMessage({ content: lookUp(call.args), tool_call_id: call.id, name: call.name })
      return { called: call.name, ...saidBy(await model.invoke([...asked(question), first, result])) }
    },
  }
}

export default {
  'langchain-anthropic': client(
    'langchain-anthropic',
    'anthropic',
    new ChatAnthropic({ model: 'claude-opus-4-8', maxTokens: 256, ...settings }),
    { cache_control: { type: 'ephemeral' } },
  ),
  'langchain-openai': client('langchain-openai', 'openai', new ChatOpenAI({ model: 'gpt-6-luna', ...settings })),
  'langchain-google': client(
    'langchain-google',
    'gemini',
    new ChatGoogleGenerativeAI({
      model: 'gemini-2.5-flash',
      apiKey: process.env.GEMINI_API_KEY,
      baseUrl: process.env.GOOGLE_GEMINI_BASE_URL,
      ...settings,
    }),
  ),
}
