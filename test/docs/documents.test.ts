import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { anchors, documents, links, namedPaths, prose, readText, root, tableRows, type Document } from './documents.ts'

const page = (path: string): Document => ({ path, text: readText(path) })

/** Named as an example of what a reader would write. */
const INVENTED = ['src/providers/cards/example.ts', 'test/providers/fixtures/example.json']

describe.each(documents)('$path', (document) => {
  it('links to what exists', () => {
    const broken = links(document).filter(
      ({ target, anchor }) =>
        !existsSync(join(root, target)) || (anchor !== null && !anchors(page(target).text).includes(anchor)),
    )
    expect(broken).toEqual([])
  })

  it('names files that exist', () => {
    const missing = namedPaths(document).filter((path) => !existsSync(join(root, path)))
    expect(missing.filter((path) => !INVENTED.includes(path))).toEqual([])
  })

  it('holds no path of somebody’s machine', () => {
    expect(document.text.match(/(?<![\w.~-])\/(?:home|Users|root|tmp|var|work|opt|mnt)\b\S*/g)).toBeNull()
    expect(document.text.match(/\b[A-Z]:\\\S*/g)).toBeNull()
  })

  it('leaves nothing to be done and praises nothing', () => {
    expect(document.text.match(/\b(?:TODO|FIXME|XXX|TBD|WIP|lorem)\b/g)).toBeNull()
    const praise =
      /\b(?:blazing\w*|seamless\w*|powerful|effortless\w*|cutting-edge|leverag\w+|robust|game-chang\w+|supercharg\w+|simply put)\b/gi
    expect(prose(document.text).match(praise)).toBeNull()
    expect(document.text.match(/\p{Extended_Pictographic}/gu)).toBeNull()
  })

  it('has shell blocks that a shell can read', () => {
    const blocks = [...document.text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text]) => text ?? '')
    for (const block of blocks) expect(spawnSync('bash', ['-n', '-c', block]).stderr.toString()).toBe('')
  })

  it('has tables whose rows are of one length', () => {
    for (const table of document.text.matchAll(/(?:^ *\|.*\|\n)+/gm)) {
      const rows = tableRows(table[0])
      expect(rows.filter((row) => row.length !== rows[0]?.length)).toEqual([])
    }
  })
})

describe('reading documents', () => {
  const broken: Document = {
    path: 'docs/a.md',
    text: '# One thing\n\n[x](gone.md) [y](#one-thing) `src/gone.ts` ![z](../docs/b.svg)\n\n```\n[not](a-link)\n```\n',
  }

  it('finds links, anchors and paths outside of code', () => {
    expect(links(broken).map(({ target, anchor }) => [target, anchor])).toEqual([
      ['docs/gone.md', null],
      ['docs/a.md', 'one-thing'],
      ['docs/b.svg', null],
    ])
    expect(anchors(broken.text)).toEqual(['one-thing'])
    expect(namedPaths(broken)).toEqual(['src/gone.ts'])
  })

  it('finds the documents', () => {
    expect(documents.map(({ path }) => path)).toEqual(
      expect.arrayContaining([
        'README.md',
        'CONTRIBUTING.md',
        'docs/api.md',
        'docs/operations.md',
        'examples/README.md',
      ]),
    )
  })
})

it('lists every decision, in order', () => {
  const files = documents.filter(({ path }) => /^docs\/decisions\/\d{4}-/.test(path))
  const listed = links(page('docs/decisions/README.md')).map(({ target }) => target)
  expect(listed).toEqual(files.map(({ path }) => path))
  // Numbers are given out once, and may leave gaps.
  const numbers = files.map(({ path }) => Number(/\/(\d{4})-/.exec(path)?.[1]))
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
  for (const [index, { text }] of files.entries()) {
    expect(text).toMatch(new RegExp(`^# ${numbers[index]}\\. .+\n\nStatus: `))
    for (const heading of ['## Context', '## Decision', '## Consequences']) expect(text).toContain(`\n${heading}\n`)
  }
})
