import { globSync, readFileSync } from 'node:fs'
import { posix, resolve, sep } from 'node:path'

export const root = resolve(import.meta.dirname, '../..')

export interface Document {
  /** Path from the project's folder, with forward slashes. */
  path: string
  text: string
}

/** Every document of the project. */
export const documents: Document[] = globSync('{*.md,docs/**/*.md,examples/*.md,test/lab/*.md}', { cwd: root })
  .map((path) => path.split(sep).join('/'))
  .toSorted()
  .map((path) => ({ path, text: readText(path) }))

export function readText(path: string): string {
  return readFileSync(resolve(root, path), 'utf8')
}

/** The text without fenced blocks: what a person reads as prose. */
export function prose(text: string): string {
  return text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '')
}

/** Text that stands under a heading, up to the next heading of the same level or a higher one. */
export function section(text: string, heading: string): string {
  const lines = text.split('\n')
  let fenced = false
  const levels = lines.map((line) => {
    if (/^ *```/.test(line)) fenced = !fenced
    return fenced ? 0 : (/^(#+) /.exec(line)?.[1]?.length ?? 0)
  })
  const start = lines.findIndex((line, index) => levels[index] !== 0 && line.replace(/^#+ /, '') === heading)
  if (start < 0) throw new Error(`no heading "${heading}"`)
  const level = levels[start] ?? 0
  const length = levels.slice(start + 1).findIndex((other) => other !== 0 && other <= level)
  return lines.slice(start, length < 0 ? undefined : start + 1 + length).join('\n')
}

/** Cells of all table rows of a text; heads and rules are left out. */
export function tableRows(text: string): string[][] {
  const lines = text.split('\n').map((line) => line.trim())
  return lines
    .filter(
      (line, index) =>
        line.startsWith('|') && !/^\|[\s:|-]+\|$/.test(line) && !/^\|[\s:|-]+\|$/.test(lines[index + 1] ?? ''),
    )
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    )
}

/** The names in backticks of a cell. */
export function names(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? '')
}

/** Ids that a page gives its headings. */
export function anchors(text: string): string[] {
  return [...prose(text).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    (heading ?? '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

/** Relative links and pictures of a document, as path from the project's folder and anchor. */
export function links({ path, text }: Document): { target: string; anchor: string | null; written: string }[] {
  return [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, written]) => written ?? '')
    .filter((written) => !/^[a-z]+:/.test(written))
    .map((written) => {
      const [file = '', anchor = null] = written.split('#')
      return { target: file === '' ? path : posix.join(posix.dirname(path), file), anchor, written }
    })
}

/** Files and folders of the project that a document names in backticks. */
export function namedPaths({ text }: Document): string[] {
  return [...prose(text).matchAll(/`((?:src|test|scripts|docs|examples|bench)\/[\w./*-]*)`/g)]
    .map(([, path]) => path ?? '')
    .filter((path) => !path.includes('*'))
}
