import { commonLength, firstDifference } from '../../core/prompt/first-difference.ts'
import type { FirstDifference } from '../../core/prompt/first-difference.ts'
import { canonical } from '../../core/prompt/json-canonical.ts'
import { memberPath, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonNode } from '../../core/prompt/json-text.ts'
import { settingsUpTo } from '../dialects/shared/settings.ts'
import type { Block } from './blocks.ts'
import type { Outline } from './outline.ts'

/** What a request has in common with a registered prefix, and where the two part. */
export interface Difference {
  /** Estimated tokens that both begin with: bytes ÷ 4. */
  sharedTokens: number
  /** Null: the request begins with the prefix. */
  first: FirstDifference | null
}

/** Holds a request against a registered prefix. Both are of one wire format, whose cache markers have the names `markers`. */
export function differenceOf(registered: Outline, sent: Outline, markers: readonly string[]): Difference {
  const [ours, theirs] = [registered.blocks, sent.blocks]
  let index = 0
  while (index < ours.length && isSame(ours[index], theirs[index])) index++
  const bytesOf = (blocks: readonly Block[]): number =>
    blocks.reduce((sum, one) => sum + Buffer.byteLength(one.tokens), 0)
  const begins = ours.slice(0, index)
  const shared = bytesOf(begins)
  const [one, other] = [ours[index], theirs[index]]
  const last = ours.at(-1)?.place.section ?? 0
  const setting = settingDifference(registered, sent, one?.place.section ?? last)
  if (setting !== null) {
    const inFront = bytesOf(begins.filter(({ place }) => place.section < setting.before))
    return { sharedTokens: tokensOf(inFront), first: setting.first }
  }
  if (one === undefined) return { sharedTokens: tokensOf(shared), first: null }
  if (other === undefined || !isComparable(one, other)) {
    const text = textOf(one.node) ?? canonical(registered.text, one.node)
    return { sharedTokens: tokensOf(shared), first: firstDifference(one.path, text, '') }
  }
  const begun = one.tokens.slice(0, commonLength(one.tokens, other.tokens))
  const text = textOf(one.node)
  return {
    sharedTokens: tokensOf(shared + Buffer.byteLength(begun)),
    first:
      text !== null && text === textOf(other.node)
        ? // The same text in another role.
          firstDifference(one.path, one.tokens, other.tokens)
        : within(registered.text, one.node, sent.text, other.node, one.path, new Set(markers)),
  }
}

function isSame(one: Block | undefined, other: Block | undefined): boolean {
  return one !== undefined && one.tokens === other?.tokens && one.isFirst === other.isFirst
}

/** Whether two blocks stand in one section, or are texts that are rendered the same way. */
function isComparable(one: Block, other: Block): boolean {
  if (one.place.section === other.place.section) return true
  const around = aroundText(one)
  return around !== null && around === aroundText(other)
}

function aroundText({ node, tokens }: Block): string | null {
  const text = textOf(node)
  return text === null ? null : tokens.slice(0, -JSON.stringify(text).length)
}

function tokensOf(bytes: number): number {
  return Math.floor(bytes / 4)
}

/** The text of a plain string or of a block of text. */
function textOf(node: JsonNode): string | null {
  return node.type === 'string' ? node.value : (stringMember(node, 'text') ?? null)
}

function settingDifference(
  registered: Outline,
  sent: Outline,
  section: number,
): { first: FirstDifference; before: number } | null {
  const ours = new Map(settingsUpTo(registered.settings, section))
  const theirs = new Map(settingsUpTo(sent.settings, section))
  for (const name of new Set([...ours.keys(), ...theirs.keys()])) {
    const [one = '', other = ''] = [ours.get(name), theirs.get(name)]
    if (one === other) continue
    const before = [...registered.settings, ...sent.settings].find((setting) => setting.name === name)?.before ?? 0
    return { first: firstDifference(memberPath('', name), one, other), before }
  }
  return null
}

/** The first place inside of two values at which they differ. */
function within(
  text: string,
  one: JsonNode,
  sentText: string,
  other: JsonNode,
  path: string,
  skipped: ReadonlySet<string> = new Set(),
): FirstDifference {
  const [ours, theirs] = [textOf(one), textOf(other)]
  if (ours !== null && theirs !== null && ours !== theirs) {
    return firstDifference(one.type === 'object' ? `${path}.text` : path, ours, theirs)
  }
  if (one.type === 'object' && other.type === 'object') {
    const [left, right] = [one, other].map(({ members }) => members.filter(({ key }) => !skipped.has(key)))
    const most = Math.max(left?.length ?? 0, right?.length ?? 0)
    for (let index = 0; index < most; index++) {
      const [mine, yours] = [left?.[index], right?.[index]]
      if (mine?.key !== yours?.key) {
        const key = mine?.key ?? yours?.key ?? ''
        return firstDifference(memberPath(path, key), shown(text, mine?.value), shown(sentText, yours?.value))
      }
      if (mine === undefined || yours === undefined || same(text, mine.value, sentText, yours.value)) continue
      return within(text, mine.value, sentText, yours.value, memberPath(path, mine.key))
    }
  }
  if (one.type === 'array' && other.type === 'array') {
    const most = Math.max(one.items.length, other.items.length)
    for (let index = 0; index < most; index++) {
      const [mine, yours] = [one.items[index], other.items[index]]
      const at = `${path}[${index}]`
      if (mine === undefined || yours === undefined)
        return firstDifference(at, shown(text, mine), shown(sentText, yours))
      if (!same(text, mine, sentText, yours)) return within(text, mine, sentText, yours, at)
    }
  }
  return firstDifference(path, shown(text, one), shown(sentText, other))
}

function same(text: string, one: JsonNode, sentText: string, other: JsonNode): boolean {
  return canonical(text, one) === canonical(sentText, other)
}

function shown(text: string, node: JsonNode | undefined): string {
  if (node === undefined) return ''
  return node.type === 'string' ? node.value : canonical(text, node)
}
