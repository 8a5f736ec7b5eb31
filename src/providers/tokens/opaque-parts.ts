import { items, member, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonNode } from '../../core/prompt/json-text.ts'
import type { OpaquePart, PartKind } from '../../core/prompt/token-bound.ts'

/**
 * Parts of request bodies whose bytes do not limit their tokens, in the wire formats of all cards. Sources: the types of
 * @anthropic-ai/sdk 1.11.0, openai 7.55.0, @google/genai 3.1.0 and @aws-sdk/client-bedrock-runtime 3.1162.0; checked 2026-11-30.
 */

/** An opaque part, and the value that holds its data, which is no text. Null: the body only names it. */
export interface Found {
  kind: PartKind
  data: JsonNode | null
}

/** Types of blocks that name an image, with the member that holds it. */
const IMAGES: Readonly<Record<string, string>> = { image: 'source', image_url: 'image_url', input_image: 'image_url' }
const VIDEOS: Readonly<Record<string, string>> = { video_url: 'video_url', input_video: 'input_video' }

/** Tools that the caller defines. All others are the provider's, which adds what it says of them. */
const OWN_TOOLS: ReadonlySet<string> = new Set(['function', 'custom', 'namespace'])
/** Members of an entry of `tools` that has no type, where the caller defines it. */
const OWN_MEMBERS = ['name', 'function', 'toolSpec', 'cachePoint', 'functionDeclarations', 'function_declarations']

/** What a value within the prompt is, if its bytes say nothing of its tokens; null: they do. */
export function opaqueBlock(node: JsonNode): Found | null {
  if (node.type !== 'object') return null
  return typedBlock(node) ?? geminiBlock(node) ?? bedrockBlock(node)
}

function typedBlock(node: JsonNode): Found | null {
  const type = stringMember(node, 'type')
  if (type === undefined) return null
  const image = IMAGES[type]
  if (image !== undefined) return { kind: 'image', data: member(node, image) ?? null }
  const video = VIDEOS[type]
  if (video !== undefined) return { kind: 'video', data: member(node, video) ?? null }
  switch (type) {
    case 'document':
      return documentOf(member(node, 'source'))
    case 'file':
      return { kind: 'document', data: member(node, 'file') ?? null }
    case 'input_file':
      return { kind: 'document', data: member(node, 'file_data') ?? null }
    case 'container_upload':
      return { kind: 'file', data: null }
    case 'item_reference':
      return { kind: 'stored_prompt', data: null }
    default:
      return null
  }
}

/** A document as text, or as blocks, has its bytes in the body. */
function documentOf(source: JsonNode | undefined): Found | null {
  const type = stringMember(source, 'type')
  return type === 'text' || type === 'content' ? null : { kind: 'document', data: member(source, 'data') ?? null }
}

function geminiBlock(node: JsonNode): Found | null {
  const inline = member(node, 'inlineData') ?? member(node, 'inline_data')
  const file = member(node, 'fileData') ?? member(node, 'file_data')
  const named = inline ?? file
  if (named?.type !== 'object') return null
  const mime = stringMember(named, 'mimeType') ?? stringMember(named, 'mime_type') ?? ''
  const data = inline === undefined ? null : (member(inline, 'data') ?? null)
  if (mime.startsWith('image/')) return { kind: 'image', data }
  // Text and sound have fewer tokens than bytes.
  if (inline !== undefined && /^(?:text|audio)\//.test(mime)) return null
  return { kind: mime.startsWith('video/') ? 'video' : 'document', data }
}

function bedrockBlock(node: JsonNode): Found | null {
  for (const kind of ['image', 'video', 'document'] as const) {
    const source = member(member(node, kind), 'source')
    if (source === undefined) continue
    if (member(source, 'text') !== undefined || member(source, 'content') !== undefined) return null
    return { kind, data: member(source, 'bytes') ?? null }
  }
  return null
}

/** What an entry of a list of tools is; null: the caller defines it. */
export function opaqueTool(tool: JsonNode): Found | null {
  const type = stringMember(tool, 'type')
  if (type === 'mcp') return { kind: 'mcp_server', data: null }
  const isOwn = type === undefined ? OWN_MEMBERS.some((name) => member(tool, name) !== undefined) : OWN_TOOLS.has(type)
  return isOwn ? null : { kind: 'server_tool', data: null }
}

/** Opaque parts that members of the body itself name. */
export function opaqueMembers(root: JsonNode): OpaquePart[] {
  const listed = (kind: PartKind, path: string, list: JsonNode | undefined): OpaquePart[] =>
    items(list).map((_, index) => ({ kind, path: `${path}[${index}]` }))
  const parts = [
    ...listed('mcp_server', 'mcp_servers', member(root, 'mcp_servers')),
    ...listed('server_tool', 'container.skills', member(member(root, 'container'), 'skills')),
    ...listed('server_tool', 'plugins', member(root, 'plugins')),
  ]
  if (member(root, 'web_search_options')?.type === 'object')
    parts.push({ kind: 'server_tool', path: 'web_search_options' })
  for (const name of ['previous_response_id', 'conversation', 'cachedContent', 'cached_content', 'prompt'])
    if (isSaid(member(root, name))) parts.push({ kind: 'stored_prompt', path: name })
  return parts
}

function isSaid(node: JsonNode | undefined): boolean {
  return node?.type === 'string' || node?.type === 'object'
}
