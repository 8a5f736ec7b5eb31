import { readFailure } from '../../contract/failure.ts'
import { items, member, readJson, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonNode } from '../../core/prompt/json-text.ts'
import { positionOf } from '../../core/lint/context.ts'
import { estimateTokens } from '../../core/prompt/tokens.ts'
import { leavesOf } from '../../providers/lint/leaves.ts'
import type { Leaf } from '../../providers/lint/leaves.ts'
import { isEnvelope, prepared } from './file.ts'
import type { Asked, FileFinding } from './file.ts'
import { missedBy, missedFinding } from './missed.ts'
import type { Body } from './missed.ts'
import { MIN_SHARED, partingOf, wordStart } from './parting.ts'
import type { Parting } from './parting.ts'
import { printable } from '../shell.ts'
import { placeInFile } from './place.ts'

interface GivenFile {
  file: string
  text: string
}

/** Compares bodies of one application, for faults that a single body does not show: tools in another order, prefixes that differ. */
export function lintTogether(files: readonly GivenFile[], asked: Asked): FileFinding[] {
  const bodies = files.flatMap(({ file, text }): Body[] => {
    const root = jsonOf(text)
    return root === null ? [] : [{ file, text, root }]
  })
  const orders = [...toolOrders(bodies), ...toolSets(bodies)]
  const ordered = new Set(orders.map(({ file }) => file))
  const found = [...orders, ...differences(bodies, asked).filter(({ file }) => !ordered.has(file))]
  const told = new Set(found.map(({ file }) => file))
  const missed = missedBy(bodies, asked)
  const verdicts = new Map(bodies.map(({ file }, index) => [file, missed[index]?.verdict]))
  return [
    ...found.map((one) => {
      const verdict = verdicts.get(one.file)
      return verdict === undefined ? one : { ...one, verdict }
    }),
    ...bodies.flatMap((body, index) => {
      const why = missed[index]
      return why == null || told.has(body.file) ? [] : [missedFinding(body, why)]
    }),
  ]
}

/** Of agents with other tools more than these differ, and they are not one application's. */
const MOST_TOOLS_APART = 2

/** Finds lists of tools that differ by a tool or two: one application that adds or removes tools. */
function toolSets(bodies: readonly Body[]): FileFinding[] {
  const seen: { file: string; names: Set<string>; model: string }[] = []
  return bodies.flatMap(({ file, text, root }) => {
    const wrapped = member(root, 'request')
    const body = wrapped?.type === 'object' ? wrapped : root
    const names = new Set(toolNames(root).filter((name) => name !== null))
    const model = stringMember(body, 'model') ?? ''
    if (names.size === 0) return []
    const near = seen.find((one) => one.model === model && isNear(one.names, names))
    if (!seen.some((one) => one.model === model && apart(one.names, names) === 0)) seen.push({ file, names, model })
    if (near === undefined) return []
    const changed = [...names.symmetricDifference(near.names)].map((name) => `"${printable(name)}"`).join(', ')
    const at = wrapped?.type === 'object' ? '/request/tools' : '/tools'
    return [
      {
        file,
        ...placeInFile(text, root, at, {}),
        severity: 'warning' as const,
        cause: 'tools_differ',
        message: `${near.file} has other tools (${changed}), so neither request reads the entries of the other.`,
        fix: 'Send all tools in each request, and choose among them with tool_choice or allowed_tools.',
        pointer: at,
      },
    ]
  })
}

function isNear(one: Set<string>, other: Set<string>): boolean {
  const count = apart(one, other)
  return count > 0 && count <= MOST_TOOLS_APART && one.intersection(other).size > count
}

function apart(one: Set<string>, other: Set<string>): number {
  return one.symmetricDifference(other).size
}

/** Finds the same tools in another order. */
function toolOrders(bodies: readonly Body[]): FileFinding[] {
  const seen = new Map<string, { order: string; file: string }>()
  return bodies.flatMap(({ file, text, root }) => {
    const wrapped = member(root, 'request')
    const at = wrapped?.type === 'object' ? '/request/tools' : '/tools'
    const names = toolNames(root)
    const known = names.filter((name) => name !== null)
    if (known.length < 2 || known.length < names.length) return []
    const [set, order] = [JSON.stringify(known.toSorted()), JSON.stringify(known)]
    const first = seen.get(set)
    if (first === undefined) seen.set(set, { order, file })
    if (first === undefined || first.order === order) return []
    return [
      {
        file,
        ...placeInFile(text, root, at, {}),
        severity: 'warning' as const,
        cause: 'unstable_tool_order',
        message: `${first.file} has the same tools in another order, so neither request reads the entries of the other.`,
        fix: 'Sort them by name before sending.',
        pointer: at,
      },
    ]
  })
}

/** Bodies that one is compared with: the first ones of its model that differ. */
const MOST_COMPARED = 20

/** Finds where a body's prefix parts from that of an earlier one, although much of the rest is the same. */
function differences(bodies: readonly Body[], asked: Asked): FileFinding[] {
  const seen = new Map<string, { file: string; leaves: Leaf[] }[]>()
  return bodies.flatMap((body) => {
    const own = prefixOf(body, asked)
    if (own === null) return []
    const earlier = seen.get(own.of) ?? []
    seen.set(own.of, earlier)
    const partings = earlier.map(({ file, leaves }) => ({ file, parting: partingOf(leaves, own.leaves) }))
    if (partings.some(({ parting }) => parting === null)) return []
    if (earlier.length < MOST_COMPARED) earlier.push({ file: body.file, leaves: own.leaves })
    const [nearest] = partings
      .flatMap(({ file, parting }) =>
        parting === null || parting.sharedCharacters < MIN_SHARED ? [] : [{ file, parting }],
      )
      .toSorted((a, b) => b.parting.sharedCharacters - a.parting.sharedCharacters)
    return nearest === undefined ? [] : [differs(body, own, nearest)]
  })
}

interface Prefix {
  /** Provider, model and the names of its tools: bodies with others are of another agent, or share no cache. */
  of: string
  leaves: Leaf[]
  /** JSON pointer of the body in its file; null: the file has the neutral form, whose places are others. */
  at: string | null
}

/** Returns null for a body that registration refuses, which has its own finding. */
function prefixOf({ text, root }: Body, asked: Asked): Prefix | null {
  try {
    const { card, prefix } = prepared(text, root, asked)
    const wrapped = member(root, 'request')?.type === 'object'
    const at = wrapped ? '/request' : isEnvelope(root) ? null : ''
    const tools = JSON.stringify(toolNames(root).toSorted())
    return { of: `${card.id} ${prefix.model} ${tools}`, leaves: leavesOf(card.id, prefix.text), at }
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return null
  }
}

function differs(
  { file, text, root }: Body,
  { leaves, at }: Prefix,
  { file: other, parting }: { file: string; parting: Parting },
): FileFinding {
  const leaf = leaves[parting.index]
  const pointer = leaf === undefined ? (at ?? '') : at === null ? `/${leaf.part}` : `${at}${leaf.at}`
  const within =
    leaf === undefined || leaf.sorted !== null ? {} : positionOf(leaf.text, wordStart(leaf.text, parting.offset))
  const tokens = Math.round(estimateTokens(parting.sharedText)).toLocaleString('en')
  const rest = `about ${tokens} tokens behind it are the same, and neither request reads what the other wrote of them.`
  return {
    file,
    ...placeInFile(text, root, pointer, within),
    severity: 'warning',
    ...(parting.isOrder
      ? {
          cause: 'key_order',
          message: `The members of this object stand in another order in ${other}: ${rest}`,
          fix: 'Write all JSON with its members in one order.',
        }
      : {
          cause: 'prefix_differs',
          message: `The prefix parts here from that of ${other}: ${rest}`,
          fix: 'Move what differs behind the text that is the same, or make it the same in each request.',
        }),
    pointer,
  }
}

function toolNames(root: JsonNode): (string | null)[] {
  const wrapped = member(root, 'request')
  return items(member(wrapped?.type === 'object' ? wrapped : root, 'tools')).map(nameOf)
}

function nameOf(tool: JsonNode): string | null {
  const inner = ['function', 'toolSpec'].map((key) => member(tool, key)).find((node) => node !== undefined)
  return stringMember(inner ?? tool, 'name') ?? null
}

/** Returns null for plain text and for invalid JSON, which has its own finding. */
function jsonOf(text: string): JsonNode | null {
  if (!/^\s*\{/.test(text)) return null
  try {
    return readJson(text)
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return null
  }
}
