import type { Sketch, SketchBlock, SketchKind } from './sketch.ts'

/** The stored form: JSON, whose blocks are one text. Members are stored words. */
interface Stored extends Omit<Sketch, 'blocks' | 'settings' | 'tools'> {
  settings: [path: string, verdict: string | null, before: number, hash: string][]
  tools: [path: string, name: string, hash: string, sorted: string, traits: string][]
  blocks: string
}

/** A sketch as it is sent and stored: about 14 bytes a block. */
export function packedSketch(sketch: Sketch): string {
  let before = ''
  const blocks = sketch.blocks.map(({ section, isFirst, isMarked, kind, bytes, hash, path, traits }) => {
    const said = path === nextPath(before, isFirst) ? '' : `@${path}`
    before = path
    const marks = `${section}${isFirst ? '+' : '-'}${isMarked ? '*' : ''}${kind}`
    return `${marks}${hash}${bytes.toString(36)}${traits === '' ? '' : `,${traits}`}${said}`
  })
  return JSON.stringify({
    ...sketch,
    settings: sketch.settings.map(({ path, verdict, before: from, hash }) => [path, verdict, from, hash]),
    tools: sketch.tools.map(({ path, name, hash, sorted, traits }) => [path, name, hash, sorted, traits]),
    blocks: blocks.join(' '),
  } satisfies Stored)
}

const BLOCK = /^(\d+)([+-])(\*?)([a-z])([\w-]{7})([0-9a-z]+)(?:,([\w-]*))?(?:@(.*))?$/

/** Null: it is none of this version. */
export function readSketch(text: string): Sketch | null {
  try {
    const stored = JSON.parse(text) as Stored
    let before = ''
    const blocks = stored.blocks.split(' ').map((one): SketchBlock => {
      const [, section = '', first, mark, kind, hash = '', bytes = '', traits = '', said] = BLOCK.exec(one) ?? []
      if (kind === undefined) throw new SyntaxError('no block')
      const isFirst = first === '+'
      before = said ?? nextPath(before, isFirst)
      return {
        section: Number(section),
        isFirst,
        isMarked: mark === '*',
        kind: kind as SketchKind,
        bytes: Number.parseInt(bytes, 36),
        hash,
        path: before,
        traits,
      }
    })
    return {
      ...stored,
      settings: stored.settings.map(([path, verdict, from, hash]) => ({
        path,
        verdict: verdict as Sketch['settings'][number]['verdict'],
        before: from,
        hash,
      })),
      tools: stored.tools.map(([path, name, hash, sorted, traits]) => ({ path, name, hash, sorted, traits })),
      blocks,
    }
  } catch {
    return null
  }
}

/** The path that mostly follows: the next item, or the next part of the same item. */
function nextPath(path: string, isFirst: boolean): string {
  const numbers = [...path.matchAll(/\d+/g)]
  const [item, part] = numbers
  if (item === undefined) return path
  if (!isFirst) return part === undefined ? path : withNumber(path, part, Number(part[0]) + 1)
  const next = part === undefined ? path : withNumber(path, part, 0)
  return withNumber(next, item, Number(item[0]) + 1)
}

function withNumber(path: string, { index, 0: digits }: RegExpExecArray, value: number): string {
  return `${path.slice(0, index)}${value}${path.slice(index + digits.length)}`
}
