import { outlineOf } from '../../src/providers/prefix/outline.ts'
import { storedOutline } from '../../src/registration/lookup.ts'
import { provider } from './prepared.ts'

/** Whether a request begins with the prefix that a registration of a body gives. */
export function begins(id: string, registered: unknown, sent: unknown, model?: string): boolean {
  const { card, facts, prepare } = provider(id)
  const prefix = prepare(registered, undefined, model)
  const end = storedOutline(card, prefix, facts(prefix.model)).heads.at(-1) ?? ''
  const text = typeof sent === 'string' ? sent : JSON.stringify(sent)
  const request = { text, ...(model === undefined ? {} : { model }) }
  return outlineOf(card, request, facts).heads.includes(end)
}
