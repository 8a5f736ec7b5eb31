import { nearest } from '../contract/nearest.ts'
import type { Card } from './card.ts'
import { cards, isDescribed, makers } from './registry.ts'

/** What a caller probably meant by an id of a provider that there is not; null: nothing is near. */
export function meantProvider(given: string, known: readonly string[]): string | null {
  const word = given.toLowerCase()
  const called = cards.find(({ alsoCalled = [] }) => alsoCalled.includes(word))
  const maker = makers.find(({ models }) =>
    models.some((row) => row.models.some((name) => name.startsWith(`${word}-`))),
  )
  return nearest(given, known) ?? called?.id ?? known.find((id) => id.startsWith(`${word}-`)) ?? maker?.id ?? null
}

/** The spelling that the provider has of a model that was written another way; null: the model is known as it is, or there is no such one. */
export function spelledModel(card: Card, model: string): string | null {
  if (!isMaker(card) || isDescribed(card, model)) return null
  const bare = model.replace(/^[\w.-]+\//, '')
  const spellings = [model, bare].flatMap((name) => [name, name.replaceAll('.', '-'), name.replaceAll(/[\s_]/g, '-')])
  const all = spellings.flatMap((name) => [name, name.toLowerCase()])
  return all.find((name) => name !== model && isDescribed(card, name)) ?? null
}

/** A model of the provider that is written nearly so; null: none is near. */
export function nearModel(card: Card, model: string): string | null {
  const names = card.models.flatMap(({ models }) => models.filter((name) => name !== '*'))
  return nearest(
    model,
    names.map((name) => name.replace(/-?\*$/, '')),
  )
}

/** Whether a provider names its models itself. A reseller's list is never whole, and deployments have names of their owner. */
function isMaker({ id, chatOf }: Card): boolean {
  return makers.some((maker) => maker.id === id || maker.id === chatOf)
}
