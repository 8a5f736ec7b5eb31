import { Failure } from '../../contract/failure.ts'
import { replaceNode } from './json-edit.ts'
import type { Edit } from './json-edit.ts'
import type { JsonString } from './json-text.ts'
import { MAX_OUTPUT, MAX_WRITTEN, noTemplateWork, renderTemplates, templateParts, tooLong } from './template.ts'
import type { NamedTemplate, TemplateWork } from './template.ts'

/** A string of a JSON text that is a template. */
export interface StringTemplate {
  node: JsonString
  /** Its name for messages. */
  field: string
}

/**
 * Edits that render the strings of a JSON text as templates. Only what tags print is written anew: all other bytes stay, also the
 * spelling of escapes. Strings without a tag get no edit. Throws as `renderTemplates` does.
 */
export function templateEdits(
  text: string,
  strings: readonly StringTemplate[],
  vars: Readonly<Record<string, unknown>>,
  work: TemplateWork = noTemplateWork(),
): Edit[] {
  const templates = strings.filter(({ node }) => /\{[{%]/.test(node.value))
  const sign = unusedSign(templates, vars)
  const disguised = templates.map((one) => disguise(one, sign))
  const outputs = renderTemplates(disguised, vars, work)
  let written = 0
  return templates.map(({ node, field }, index) => {
    const { texts } = disguised[index]!
    const spelled = spelling(text, node)
    const pieces = outputs[index]!.split(sign).map((piece, at) => {
      // Between two signs stands the number of a text, elsewhere what a tag printed.
      const span = at % 2 === 1 ? texts[Number(piece)] : undefined
      const raw = span === undefined ? JSON.stringify(piece).slice(1, -1) : spelled(span.begin, span.end)
      written += raw.length
      work.written += raw.length
      if (written > MAX_OUTPUT || work.written > MAX_WRITTEN) throw tooLong(field)
      return raw
    })
    return replaceNode(node, `"${pieces.join('')}"`)
  })
}

/** A template with a number between two signs in place of each text. */
interface Disguised extends NamedTemplate {
  texts: { begin: number; end: number }[]
}

function disguise({ node, field }: StringTemplate, sign: string): Disguised {
  const texts: Disguised['texts'] = []
  const template = templateParts({ template: node.value, field })
    .map(({ isText, begin, end }) => {
      if (!isText) return node.value.slice(begin, end)
      return begin < end ? `${sign}${texts.push({ begin, end }) - 1}${sign}` : ''
    })
    .join('')
  return { template, field, texts }
}

const PRIVATE = /[\ue000-\uf8ff]/g
const [FIRST_PRIVATE, LAST_PRIVATE] = [0xe000, 0xf8ff]

/** A character for private use that neither the templates nor the values contain, so that no tag can print it. */
function unusedSign(templates: readonly StringTemplate[], vars: Readonly<Record<string, unknown>>): string {
  const texts = [...templates.map(({ node }) => node.value), JSON.stringify(vars)]
  const used = new Set(texts.flatMap((text) => text.match(PRIVATE) ?? []))
  for (let code = FIRST_PRIVATE; code <= LAST_PRIVATE; code++) {
    const sign = String.fromCharCode(code)
    if (!used.has(sign)) return sign
  }
  const field = templates[0]?.field ?? 'vars'
  throw new Failure('invalid_request', `${field}: must not use every character for private use.`, { field })
}

/** Gives the exact text of a span of a string, by offsets in its value. */
function spelling(text: string, { start, end, value }: JsonString): (from: number, to: number) => string {
  if (end - start === value.length + 2) return (from, to) => text.slice(start + 1 + from, start + 1 + to)
  const places = new Uint32Array(value.length + 1)
  let at = start + 1
  for (let index = 0; index < value.length; index++) {
    places[index] = at
    at += text[at] !== '\\' ? 1 : text[at + 1] === 'u' ? 6 : 2
  }
  places[value.length] = at
  return (from, to) => text.slice(places[from], places[to])
}
