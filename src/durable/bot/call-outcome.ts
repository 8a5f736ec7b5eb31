import type { FailureValue } from '../../contract/failure.ts'
import type { Reply } from '../../core/conversation/turn.ts'
import type { ToolCall } from '../../core/conversation/window.ts'
import type { Usage } from '../../core/model/usage.ts'

/** How a call to a model ended. `refused`: the provider surely did nothing, so that it may be sent again. */
export type CallOutcome =
  | (Answered & { kind: 'answered' })
  | { kind: 'refused'; failure: FailureValue }
  /** `billed` is null where nobody knows; `usage` and `nanos` stand beside it where the provider said them. */
  | { kind: 'failed'; failure: FailureValue; billed: boolean | null; usage?: Usage; nanos?: number | null }

/** `toolCalls` and `native` are absent where nothing was called. */
interface Answered {
  text: string
  complete: boolean
  toolCalls?: ToolCall[]
  native?: string | null
  usage: Usage
  nanos: number | null
}

export function replyOf({ text, complete, toolCalls = [], native = null }: Answered): Reply {
  return { text, complete, toolCalls, native }
}
