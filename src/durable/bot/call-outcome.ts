import type { FailureValue } from '../../contract/failure.ts'
import type { Reply } from '../../core/conversation/turn.ts'
import type { ToolCall } from '../../core/conversation/window.ts'
import type { Usage } from '../../core/model/usage.ts'

/** Outcome of a call to a model. `refused`: the provider certainly did nothing, so the call may be sent again. */
export type CallOutcome =
  | (Answered & { kind: 'answered' })
  | { kind: 'refused'; failure: FailureValue }
  /** `billed` null: unknown. `usage` and `nanos` are set where the provider reported them. */
  | { kind: 'failed'; failure: FailureValue; billed: boolean | null; usage?: Usage; nanos?: number | null }

/** `toolCalls` and `native` are absent where the model called no tool. */
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

/** Whether a caller gave the call up. */
export function isGivenUp(outcome: CallOutcome): boolean {
  return outcome.kind !== 'answered' && outcome.failure.kind === 'cancelled'
}
