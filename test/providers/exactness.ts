import { expect } from 'vitest'
import { items, member } from '../../src/core/prompt/json-text.ts'
import type { JsonNode } from '../../src/core/prompt/json-text.ts'
import type { Primitive } from '../../src/core/model/facts.ts'
import type { Case, Given } from './bodies.ts'

/**
 * The law: for every member rendered into the prompt the probe's raw text equals the registered one, except cache markers and a
 * string that had to become one block of text; every other member equals too, save what is allowed here by name.
 */
/** Turns that are prefix without anyone saying so. */
export function developerTurns({ provider }: Case): number {
  return provider.startsWith('openai') || provider === 'openrouter' ? 1 : 0
}

/** On Responses a breakpoint can stand on what people wrote only; a prefix that ends in an assistant's words is refused there. */
export function canMark(
  { provider, marker }: Case,
  primitive: Primitive,
  last: number | undefined,
  { shots }: Given,
): boolean {
  return provider !== 'openai' || marker === null || primitive === 'prewarm' || last === undefined || shots.length === 0
}

export interface Spot {
  text: string
  node: JsonNode
}

export function compare(kind: Case, registered: Spot, probe: Spot, end: number, primitive: Primitive): void {
  const before = new Map(entries(registered))
  const after = new Map(entries(probe))
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(key), after.get(key)]
    if (kind.allowed.includes(key)) continue
    if (key === kind.turns) {
      const dummies = primitive === 'prewarm' ? 0 : 1
      const sent = items(is?.node)
      expect(sent).toHaveLength(end + dummies)
      for (let n = 0; n < end; n++)
        sameTurn(kind, { ...registered, node: items(was?.node)[n]! }, { ...probe, node: sent[n]! })
      continue
    }
    const inside = kind.allowedInside[key]
    if (inside !== undefined) {
      const rest = (spot: Spot | undefined) =>
        spot === undefined
          ? []
          : entries(spot)
              .filter(([name]) => !inside.includes(name))
              .map(([name, one]) => [name, slice(one)])
      expect(rest(is)).toEqual(rest(was))
      continue
    }
    if (was === undefined || is === undefined) expect.fail(`${key} was ${was === undefined ? 'added' : 'dropped'}`)
    if (key === 'tools' || key === 'system') sameBlocks(kind, was, is)
    else if (key === 'toolConfig' && kind.markerStandsAlone) sameBlocks(kind, toolsOf(was), toolsOf(is))
    else expect(slice(is)).toBe(slice(was))
  }
  // What is kept keeps its order.
  const kept = [...before.keys()].filter((key) => after.has(key))
  expect([...after.keys()].filter((key) => before.has(key))).toEqual(kept)
}

function sameTurn(kind: Case, was: Spot, is: Spot): void {
  const [a, b] = [entries(was), entries(is)]
  expect(b.map(([key]) => key)).toEqual(a.map(([key]) => key))
  for (const [n, [key, one]] of a.entries()) {
    const other = b[n]![1]
    if (key === kind.parts) sameBlocks(kind, one, other)
    else expect(slice(other)).toBe(slice(one))
  }
}

function sameBlocks(kind: Case, was: Spot, is: Spot): void {
  if (was.node.type === 'string') {
    if (is.node.type === 'string') return void expect(slice(is)).toBe(slice(was))
    expect(items(is.node)).toHaveLength(1)
    const only = entries({ ...is, node: items(is.node)[0]! }).filter(([key]) => key !== kind.marker)
    expect(only.map(([key]) => key)).toEqual(['type', 'text'])
    return void expect(slice(only[1]![1])).toBe(slice(was))
  }
  const prompt = ({ node }: Spot): JsonNode[] =>
    items(node).filter((item) => !kind.markerStandsAlone || member(item, kind.marker ?? '') === undefined)
  expect(prompt(is)).toHaveLength(prompt(was).length)
  for (const [n, item] of prompt(was).entries()) {
    const raws = (spot: Spot) =>
      entries(spot)
        .filter(([key]) => key !== kind.marker)
        .map(([key, one]) => [key, slice(one)])
    expect(raws({ ...is, node: prompt(is)[n]! })).toEqual(raws({ ...was, node: item }))
  }
}

export function toolsOf({ text: whole, node }: Spot): Spot {
  return { text: whole, node: member(node, 'tools') ?? node }
}

function entries({ text, node }: Spot): [string, Spot][] {
  return node.type === 'object' ? node.members.map(({ key, value: entry }) => [key, { text, node: entry }]) : []
}

function slice({ text, node }: Spot): string {
  return text.slice(node.start, node.end)
}

/** The node at a path such as `system[1]` or `input[0].content`. */
export function follow(root: JsonNode, path: string): JsonNode {
  let node: JsonNode | undefined = root
  for (const step of path.match(/\w+/g) ?? [])
    node = /^\d+$/.test(step) ? items(node)[Number(step)] : member(node, step)
  if (node === undefined) throw new Error(`nothing at ${path}`)
  return node
}
