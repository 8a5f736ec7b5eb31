import { answerText, cutTo } from './dialect.ts'
import { arrayAt, member, numberAt, stringAt } from './json.ts'
import type { JsonObject } from './json.ts'
import type { OpenAIModel } from './models.ts'
import { partsOf } from './openai-prompt.ts'
import { scripted, textOfLength } from './script.ts'

/** Hidden reasoning of a model that reasons, in tokens; it comes out of the same budget as the text. */
const REASONING_TOKENS = 24

export function effortOf(body: JsonObject, model: OpenAIModel): string {
  return stringAt(member(body, 'reasoning'), 'effort') ?? model.effort
}

export type Reply = {
  text: string
  reasoning: number
  whole: boolean
  calls: { name: string; arguments: string }[]
}

/** What the model puts out: what the user's script says, or a short text. */
export function write(body: JsonObject, model: OpenAIModel, hash: string): Reply {
  const budget = numberAt(body, 'max_output_tokens') ?? Infinity
  const effort = effortOf(body, model)
  const reasons = model.reasoning && effort !== 'none' && effort !== 'minimal'
  const reasoning = reasons ? Math.min(REASONING_TOKENS, budget) : 0
  const tools = arrayAt(body, 'tools').map((tool) => stringAt(tool, 'name') ?? '')
  const { question, answers } = asked(body)
  const { calls, words } = scripted(question, answers, tools, stringAt(body, 'tool_choice') === 'none')
  if (calls.length > 0) return { text: '', reasoning, whole: true, calls }
  const full = words === undefined ? answerText(hash) : textOfLength(words, answerText(hash))
  const text = budget === Infinity ? full : cutTo(full, budget - reasoning)
  return { text, reasoning, whole: text === full, calls: [] }
}

/** The latest message of the user that does not follow a tool's output, and how many rounds of calls came since. */
function asked(body: JsonObject): { question: string; answers: number } {
  const input = member(body, 'input')
  if (typeof input === 'string') return { question: input, answers: 0 }
  const items = arrayAt(body, 'input').map((item) => ({
    type: stringAt(item, 'type') ?? 'message',
    role: stringAt(item, 'role'),
    text: partsOf(member(item, 'content'))
      .map((part) => part.text)
      .join('\n'),
  }))
  const at = items.findLastIndex(({ role }, i) => role === 'user' && items[i - 1]?.type !== 'function_call_output')
  const since = items.slice(at + 1)
  const answers = since.filter(
    ({ type }, i) => type === 'function_call' && since[i - 1]?.type !== 'function_call',
  ).length
  return { question: items[at]?.text ?? '', answers }
}
