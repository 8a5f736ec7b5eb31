import { EXIT_PARAMETERS, EXIT_TOOL, readArguments, TIME_TOOL } from '../../contract/tool.ts'
import type { ToolCall } from '../../core/conversation/window.ts'
import { boundedResult } from '../../core/conversation/turn.ts'
import type { ToolResult } from '../../core/conversation/turn.ts'
import { callTool } from '../../calls/tool.ts'
import type { BotShell } from './model-call.ts'
import { schemaOf } from '../registry/records/bot.ts'
import type { BotConfig } from '../registry/records/bot.ts'

/** Most tool calls at the same time. */
const MAX_PARALLEL = 4
/** Largest share of the history budget for one result, to leave space for other results and the conversation. */
const RESULT_SHARE = 0.25

export interface OpenCall {
  /** Id of this call, the same in each attempt. */
  id: string
  index: number
  call: ToolCall
}

/** Runs the tool calls of one round, four at a time. Stores each call before it is sent, and each result at once. */
export async function runTools(
  shell: BotShell,
  config: BotConfig,
  turn: string,
  open: readonly OpenCall[],
): Promise<Map<number, ToolResult>> {
  const results = new Map<number, ToolResult>()
  const waiting = [...open]
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      results.set(next.index, await runTool(shell, config, turn, next))
    }
  }
  await Promise.all(Array.from({ length: Math.min(MAX_PARALLEL, open.length) }, worker))
  return results
}

async function runTool(shell: BotShell, config: BotConfig, turn: string, { id, call }: OpenCall): Promise<ToolResult> {
  const { calls, clock } = shell
  const known = calls.tool(id)?.result ?? null
  if (known !== null) return known
  const own = ownResult(shell, config, call)
  const tool = (config.tools ?? []).find(({ name }) => name === call.name)
  const begunAt = clock.now()
  const attempts = calls.beginTool(id, turn, call.name, begunAt)
  const called = { turn_id: turn, call_id: id, tool: call.name }
  shell.publish({ type: 'tool_called', ...called, at: new Date(begunAt).toISOString() })
  let result = own
  if (result === null && tool !== undefined) {
    // Stored on disk before it is sent: after a cut-off it is sent again under the same id.
    await shell.sync()
    const sentAt = clock.realAt(clock.now())
    const given = readArguments(schemaOf(tool), call.arguments).value
    const body = JSON.stringify({ bot_id: shell.id, turn_id: turn, call_id: id, tool: call.name, arguments: given })
    const { url, service } = tool
    const to = service === undefined ? { url } : { url, service }
    const timeoutMs = Math.max(1, clock.realMs(tool.timeoutMs))
    const stop = shell.signal === undefined ? {} : { signal: shell.signal }
    result = await callTool({ ...to, id, body, sentAt, timeoutMs, account: config.account, ...stop }, shell.env)
  }
  const bounded = boundedResult(result ?? wrong('There is no such tool.'), config.historyTokens * RESULT_SHARE)
  const at = clock.now()
  calls.endTool(id, bounded, at)
  shell.publish({
    type: 'tool',
    ...called,
    at: new Date(at).toISOString(),
    failed: bounded.isError,
    may_have_run_twice: attempts > 1 && own === null,
  })
  return bounded
}

/** Result that needs no call; null: the tool must be called. */
function ownResult({ clock }: BotShell, config: BotConfig, { name, arguments: given }: ToolCall): ToolResult | null {
  if (name === TIME_TOOL && config.injectTime) return { text: new Date(clock.now()).toISOString(), isError: false }
  if (name === EXIT_TOOL && config.exitTool === true) {
    return wrong(readArguments(EXIT_PARAMETERS, given).wrong ?? 'The result is empty.')
  }
  const tool = (config.tools ?? []).find((one) => one.name === name)
  if (tool === undefined) return wrong('There is no such tool.')
  const { wrong: why } = readArguments(schemaOf(tool), given)
  return why === null ? null : wrong(why)
}

function wrong(text: string): ToolResult {
  return { text, isError: true }
}
