/** The official Gemini SDK. Its base URL is GOOGLE_GEMINI_BASE_URL, which it reads itself. */
import { GoogleGenAI } from '@google/genai'
import { PARAMETERS, TOOL, guide, lookUp } from '../guide.mjs'

const gemini = new GoogleGenAI({})
const shared = {
  model: 'gemini-2.5-flash',
  config: {
    systemInstruction: guide('gemini'),
    tools: [{ functionDeclarations: [{ ...TOOL, parametersJsonSchema: PARAMETERS }] }],
  },
}
const user = (text) => ({ role: 'user', parts: [{ text }] })
const saidBy = ({ text, usageMetadata: usage }) => ({ text, cached: usage.cachedContentTokenCount ?? 0 })

export default {
  gemini: {
    provider: 'gemini',
    async plain(question) {
      return saidBy(await gemini.models.generateContent({ ...shared, contents: [user(question)] }))
    },
    async stream(question, heard, signal) {
      const config = { ...shared.config, abortSignal: signal }
      const said = { text: '', cached: null }
      const stream = await gemini.models.generateContentStream({ ...shared, config, contents: [user(question)] })
      for await (const chunk of stream) {
        if (chunk.text) {
          said.text += chunk.text
          heard(chunk.text)
        }
        if (chunk.usageMetadata) said.cached = chunk.usageMetadata.cachedContentTokenCount ?? 0
      }
      return said
    },
    async tools(question) {
      const first = await gemini.models.generateContent({ ...shared, contents: [user(question)] })
      const [call] = first.functionCalls
      const response = { id: call.id, name: call.name, response: { page: lookUp(call.args) } }
      const contents = [
        user(question),
        first.candidates[0].content,
        { role: 'user', parts: [{ functionResponse: response }] },
      ]
      return { called: call.name, ...saidBy(await gemini.models.generateContent({ ...shared, contents })) }
    },
  },
}
