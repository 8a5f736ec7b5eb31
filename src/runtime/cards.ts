import { cardLike } from '../providers/added.ts'
import type { Card } from '../providers/card.ts'
import { cardById as fixedCard, cards } from '../providers/registry.ts'
import { overrides } from './overrides.ts'

/** Reason shown of a prefix whose provider is no more: no card describes it. */
export const REMOVED =
  'its provider was removed from this deployment, and nothing can be sent there; when the administrator adds it again (PUT /providers/{id}), this plan goes on'

/** Cards of added providers by id. A card is made once for each wording, because its dialect is remembered by it. */
const made = new Map<string, { from: string; card: Card }>()

/** The card of a provider: of this version, or added by the administrator. A card of this version is never replaced. */
export function cardById(id: string): Card | undefined {
  return fixedCard(id) ?? addedCard(id)
}

/** All providers: those of this version, and then those that the administrator added. */
export function allCards(): Card[] {
  const added = Object.keys(overrides().providers).toSorted()
  return [...cards, ...added.flatMap((id) => (fixedCard(id) === undefined ? (addedCard(id) ?? []) : []))]
}

function addedCard(id: string): Card | undefined {
  const said = overrides().providers[id]
  if (said?.like === undefined) return undefined
  const base = fixedCard(said.like)
  if (base === undefined) return undefined
  const from = `${said.like} ${said.name ?? id}`
  const known = made.get(id)
  if (known?.from === from) return known.card
  const card = cardLike(base, id, { like: said.like, ...(said.name === undefined ? {} : { name: said.name }) })
  made.set(id, { from, card })
  return card
}
