import { edit, objectEdits } from '../../core/prompt/json-edit.ts'
import { byteOffset, member } from '../../core/prompt/json-text.ts'
import { invalid, readBody } from '../dialects/shared/body.ts'
import { HANDLE, named, SYSTEM, TOOL_CONFIG } from '../dialects/gemini-content/settings.ts'
import { fields } from '../dialects/shared/usage.ts'
import { listOf } from '../dialects/shared/turn-format.ts'
import type { HandleReferences } from './dialect.ts'

/** What a handle contains, and a request that refers to it may not repeat. */
const CONTAINED = [...SYSTEM, 'tools', ...TOOL_CONFIG]

/**
 * `cachedContent` in bodies of generateContent. The provider refuses it beside systemInstruction, tools and toolConfig.
 * Source: ai.google.dev api/caching and @google/genai 3.1.0, checked 2026-11-30.
 */
export const geminiReferences: HandleReferences = { handleIn, refer, split, inline, toolNames, breakpoint }

function handleIn(text: string): string | null {
  const found = named(readBody(text).root, HANDLE)
  if (found === null) return null
  if (found.node.type !== 'string' || found.node.value === '') {
    throw invalid(`request.${found.key}`, 'must be the name of a handle')
  }
  return found.node.value
}

function refer(text: string, handle: string, at?: string): string {
  const { root } = readBody(text)
  const beside = CONTAINED.find((name) => named(root, [name]) !== null)
  if (beside !== undefined && at !== undefined)
    throw invalid(at, `cannot be combined with request.${beside}, which a handle already contains`)
  if (beside !== undefined)
    throw invalid(`request.${beside}`, 'cannot be combined with a handle, which already contains it')
  const key = named(root, HANDLE)?.key ?? 'cachedContent'
  return edit(text, objectEdits(root, { [key]: JSON.stringify(handle) }))
}

function split(text: string): { contents: string; rest: string } | null {
  const { root } = readBody(text)
  const turns = member(root, 'contents')
  const hasTurns = turns?.type === 'array' && turns.items.length > 0
  const kept = root.members.filter(({ key, value }) =>
    key === 'contents' ? hasTurns : CONTAINED.includes(key) && value.type !== 'null',
  )
  if (kept.length === 0) return null
  const names = new Set(kept.map(({ key }) => key))
  const others = root.members.flatMap(({ key }) => (names.has(key) ? [] : [[key, null] as const]))
  const without = CONTAINED.filter((name) => member(root, name) !== undefined)
  return {
    contents: edit(text, objectEdits(root, Object.fromEntries(others))),
    rest: edit(text, objectEdits(root, { ...Object.fromEntries(without.map((name) => [name, null])), contents: '[]' })),
  }
}

function inline(text: string, contents: string): string {
  const kept = JSON.parse(contents) as Record<string, unknown>
  const body = JSON.parse(text) as Record<string, unknown>
  const parts = CONTAINED.filter((name) => name in kept).map((name) => [name, kept[name]])
  const turns = [...listOf(kept['contents']), ...listOf(body['contents'])]
  return JSON.stringify({ ...Object.fromEntries(parts), ...body, contents: turns })
}

function toolNames(contents: string): string[] {
  const { tools } = JSON.parse(contents) as Record<string, unknown>
  return listOf(tools).flatMap((tool) => {
    const declared = fields(tool)
    const list = listOf(declared?.['functionDeclarations'] ?? declared?.['function_declarations'])
    return list.flatMap((one) => {
      const name = fields(one)?.['name']
      return typeof name === 'string' ? [name] : []
    })
  })
}

function breakpoint(text: string): { path: string; byte: number } {
  const { root } = readBody(text)
  const key = named(root, HANDLE)?.key ?? 'cachedContent'
  return { path: key, byte: byteOffset(text, member(root, key)?.end ?? 0) }
}
