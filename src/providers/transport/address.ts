import { isPrivate } from '../../contract/host.ts'
import { failureValue } from '../../contract/failure.ts'
import type { FailureValue } from '../../contract/failure.ts'
import type { Card } from '../card.ts'

export type Address = { url: string; failure: null } | { url: null; failure: FailureValue }

/** Names of the Worker variables in a card's address. */
export function variablesOf(card: Pick<Card, 'baseUrl'>): string[] {
  return [...new Set([...card.baseUrl.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? ''))]
}

/**
 * The address of a provider: the card's, with the Worker variables filled in. A variable that is missing or invalid gives
 * `not_configured`; the message names the variable and never its value. Outside of development only https and public hosts are
 * accepted. Private addresses are refused where they are written out: DNS names are not resolved here.
 */
export function addressOf(
  card: Pick<Card, 'id' | 'baseUrl' | 'baseUrlWhen'>,
  value: (name: string) => string | undefined,
  isDevelopment: boolean,
): Address {
  const names = variablesOf(card)
  const refuse = (variable: string, what: string): Address => ({
    url: null,
    failure: failureValue('not_configured', `${card.id}: the variable ${variable} ${what}.`, { variable }),
  })
  let template = card.baseUrl
  for (const name of names) {
    const given = value(name)?.trim() ?? ''
    if (given === '') return refuse(name, 'is not set, but the address contains it')
    const isWhole = card.baseUrl.startsWith(`{${name}}`)
    if (!isWhole && !/^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62}[A-Za-z0-9])?$/.test(given)) {
      return refuse(name, 'may hold letters, digits, hyphens and underscores only')
    }
    if (isWhole) {
      const what = wrongWith(given, isDevelopment)
      if (what !== null) return refuse(name, what)
    }
    template = (card.baseUrlWhen?.[`${name}=${given}`] ?? template).replaceAll(`{${name}}`, given.replace(/\/+$/, ''))
  }
  return { url: template, failure: null }
}

function wrongWith(given: string, isDevelopment: boolean): string | null {
  if (!URL.canParse(given)) return 'is not a URL'
  const url = new URL(given)
  if (url.username !== '' || url.password !== '') return 'must not contain credentials'
  if (url.search !== '' || url.hash !== '') return 'must contain no query and no fragment'
  if (isDevelopment) return url.protocol === 'https:' || url.protocol === 'http:' ? null : 'must be an http(s) URL'
  if (url.protocol !== 'https:') return 'must be an https URL'
  return isPrivate(url.hostname) ? 'must name a public host' : null
}
