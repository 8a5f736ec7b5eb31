import { member, readJson } from '../../core/prompt/json-text.ts'
import type { JsonObject } from '../../core/prompt/json-text.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import type { Card } from '../card.ts'

/** A body that asks its provider why it missed; or why it cannot. */
export type Asking = { text: string } | { why: 'offers none' | 'asks itself' | 'none known' }

/**
 * Adds the wish for the provider's own diagnostics to a body; every other byte stays, and so does a wish of its own. `previousId`: of the answer to
 * compare with; null: none is known.
 */
export function askingBody(
  { diagnostics, like }: Card,
  text: string,
  { retentions }: Pick<ModelFacts, 'retentions'>,
  previousId: string | null,
): Asking {
  // What a provider that somebody added takes is not known.
  if (diagnostics === undefined || like !== undefined) return { why: 'offers none' }
  const { place, retention, takesNone } = diagnostics
  if (retention !== undefined && !retentions.some(({ name }) => name === retention)) return { why: 'offers none' }
  const [holder, name] = place
  const root = readJson(text, 'request')
  const own = member(root, holder)
  if (root.type !== 'object') return { why: 'offers none' }
  const isOwn = own !== undefined && (takesNone === true || own.type !== 'object' || member(own, name) !== undefined)
  if (isOwn) return { why: 'asks itself' }
  if (previousId === null && takesNone !== true) return { why: 'none known' }
  const asked = `${JSON.stringify(name)}:${JSON.stringify(previousId)}`
  return {
    text:
      own?.type === 'object'
        ? withMember(text, own, asked)
        : withMember(text, root, `${JSON.stringify(holder)}:{${asked}}`),
  }
}

/** A text with one member more at the end of one of its objects. */
function withMember(text: string, { members, end }: JsonObject, added: string): string {
  return `${text.slice(0, end - 1)}${members.length === 0 ? '' : ','}${added}${text.slice(end - 1)}`
}
