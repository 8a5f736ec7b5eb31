import { items, member, memberPath } from '../../core/prompt/json-text.ts'
import type { JsonNode } from '../../core/prompt/json-text.ts'
import type { OpaquePart, PromptSize } from '../../core/prompt/token-bound.ts'
import { VocabularyCount } from './vocabulary.ts'
import { opaqueBlock, opaqueMembers, opaqueTool } from './opaque-parts.ts'
import type { Found } from './opaque-parts.ts'

/** Members of a body that hold turns, and those whose texts stand in the prompt as they are. */
const TURNS: ReadonlySet<string> = new Set(['messages', 'input', 'contents'])
const PLAIN: ReadonlySet<string> = new Set([
  ...TURNS,
  'system',
  'instructions',
  'systemInstruction',
  'system_instruction',
])

/** Tokens of the syntax around one value, in whatever way it is written into the prompt. */
const SYNTAX_TOKENS = 3
/** Bytes of the quotes, the separator and the space around one value. */
const SYNTAX_BYTES = 4

/** Measures a body. Everything in it counts, also what is no text of the prompt: there is little of it. */
export class PromptMeasure {
  readonly #text: string
  readonly #vocabulary: VocabularyCount | null
  #bytes = 0
  #tokens = 0
  #tools = 0
  readonly #parts: OpaquePart[] = []

  /** `counts`: whether the texts are counted in the public vocabulary as well. */
  constructor(text: string, counts: boolean) {
    this.#text = text
    this.#vocabulary = counts ? new VocabularyCount() : null
  }

  of(root: JsonNode): PromptSize {
    this.#parts.push(...opaqueMembers(root))
    if (root.type === 'object')
      for (const { key, value } of root.members) {
        this.#string(key, true)
        this.#value(value, key, key === 'tools', !PLAIN.has(key))
      }
    const messages = [...TURNS].reduce((sum, name) => sum + items(member(root, name)).length, 1)
    const vocabularyTokens = this.#vocabulary === null ? null : this.#tokens
    return { bytes: this.#bytes, vocabularyTokens, messages, tools: this.#tools, parts: this.#parts }
  }

  /** `isTools`: the value is a list of tools. `isWritten`: its texts are not in the prompt as they are, but as part of JSON or of a comment. */
  #value(node: JsonNode, path: string, isTools: boolean, isWritten: boolean): void {
    switch (node.type) {
      case 'array':
        this.#syntax()
        for (const [index, item] of node.items.entries()) {
          const at = `${path}[${index}]`
          if (isTools) {
            this.#tools++
            this.#found(opaqueTool(item), at)
          }
          this.#value(item, at, false, isWritten)
        }
        return
      case 'object': {
        this.#syntax()
        const found = isTools || isWritten ? null : opaqueBlock(node)
        this.#found(found, path)
        for (const { key, value } of node.members) {
          this.#string(key, isWritten)
          if (found === null || found.data === null || !isWithin(found.data, value)) {
            const isList = isWritten && LISTS_OF_TOOLS.has(key)
            this.#value(value, memberPath(path, key), isList, isWritten)
          }
        }
        return
      }
      case 'string':
        this.#string(node.value, isWritten, node.end - node.start === node.value.length + 2)
        return
      default:
        this.#string(this.#text.slice(node.start, node.end), isWritten, true)
    }
  }

  #found(found: Found | null, path: string): void {
    if (found !== null) this.#parts.push({ kind: found.kind, path })
  }

  #syntax(): void {
    this.#bytes += SYNTAX_BYTES
    this.#tokens += SYNTAX_TOKENS
  }

  /** `isPlain`: it needs no escapes. */
  #string(text: string, isWritten: boolean, isPlain = false): void {
    this.#syntax()
    this.#bytes += isPlain ? Buffer.byteLength(text) + 2 : Buffer.byteLength(JSON.stringify(text))
    if (this.#vocabulary === null) return
    this.#tokens += this.#vocabulary.most(text)
    // Each of them may be escaped, or begin a line of a comment.
    if (isWritten) this.#tokens += text.match(/[\n\r\t"\\]/g)?.length ?? 0
  }
}

/** Lists of tools within members that are not called `tools` themselves, or within an entry of such a list. */
const LISTS_OF_TOOLS: ReadonlySet<string> = new Set(['tools', 'functionDeclarations', 'function_declarations'])

/** Whether the data of a part lie in a value: it is left out as a whole. */
function isWithin(data: JsonNode, value: JsonNode): boolean {
  return data.start >= value.start && data.end <= value.end
}
