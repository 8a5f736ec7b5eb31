import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildings, type Building } from '../test/house/rooms.ts'

/**
 * Prints the rooms of `test/house/rooms.ts` into docs/architecture.md and CONTRIBUTING.md, between the lines
 * `<!-- rooms … -->` and `<!-- end of rooms -->`. `node scripts/rooms-doc.ts` writes them; a test compares them.
 */
export const pages: { path: string; print: () => string }[] = [
  { path: 'docs/architecture.md', print: () => buildings.map(drawing).join('\n') },
  { path: 'CONTRIBUTING.md', print: () => order(buildings[0]!) },
]

const FENCE = /(<!-- rooms[^\n]*-->\n)[\s\S]*?(<!-- end of rooms -->)/

/** The page with today's rooms in it. Throws where the page has no place for them. */
export function withRooms(text: string, rooms: string): string {
  if (!FENCE.test(text)) throw new Error('no line "<!-- rooms … -->" followed by "<!-- end of rooms -->"')
  return text.replace(FENCE, (_, begin: string, end: string) => `${begin}${rooms}${end}`)
}

/** Names and meanings as a tree, and the order below it. */
function drawing({ path, steps }: Building): string {
  const rooms = steps.flat()
  const width = Math.max(...rooms.map(({ name }) => name.length)) + 2
  const tree = rooms.map(({ name, about }) => `  ${about === '' ? name : name.padEnd(width) + about}`)
  return `\`\`\`\n${path}/\n${tree.join('\n')}\n\`\`\`\n\n${order({ path, steps })}`
}

/** `a ◁ b, c`: b and c may import a, and do not know each other. */
function order({ steps }: Building): string {
  return `\`${steps.map((rooms) => rooms.map(({ name }) => name).join(', ')).join(' ◁ ')}\`\n`
}

if (process.argv[1] === import.meta.filename)
  for (const { path, print } of pages) {
    const file = join(import.meta.dirname, '..', path)
    writeFileSync(file, withRooms(readFileSync(file, 'utf8'), print()))
  }
