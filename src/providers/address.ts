import { failureValue } from '../contract/failures.ts'
import type { FailureValue } from '../contract/failures.ts'
import type { Card } from './types.ts'

export type Address = { url: string; failure: null } | { url: null; failure: FailureValue }

/** Worker variables that a card's address is made of. */
export function variablesOf(card: Pick<Card, 'baseUrl'>): string[] {
  return [...new Set([...card.baseUrl.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? ''))]
}

/**
 * Where a provider is reached: the card's address with the administrator's variables put in. One that is missing or no address is
 * `not_configured`, in words that name the variable and never its value. Outside of development only https and public hosts are
 * taken; which addresses a name resolves to is not known here, so that only spelled-out private ones are refused.
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
    if (given === '') return refuse(name, 'is not set; it is part of the address')
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
  if (!URL.canParse(given)) return 'is no URL'
  const url = new URL(given)
  if (url.username !== '' || url.password !== '') return 'must hold no credentials'
  if (url.search !== '' || url.hash !== '') return 'must hold no query and no fragment'
  if (isDevelopment) return url.protocol === 'https:' || url.protocol === 'http:' ? null : 'must be an http(s) URL'
  if (url.protocol !== 'https:') return 'must be an https URL'
  return isPrivate(url.hostname) ? 'must name a public host' : null
}

const PRIVATE_NAMES = /(^|\.)(localhost|local|internal|intranet|lan|home|corp|home\.arpa)$/i

/** True for names of one's own network and for spelled-out addresses that are not public. `URL` has put every IPv4 into dots. */
export function isPrivate(hostname: string): boolean {
  const host = hostname.replace(/\.+$/, '')
  if (host.startsWith('[')) return isPrivateV6(host.slice(1, -1))
  const parts = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host)
  if (parts === null) return PRIVATE_NAMES.test(host) || !host.includes('.')
  const [a, b, c] = parts.slice(1).map(Number) as [number, number, number]
  return (
    a === 0 ||
    a === 10 ||
    a === 127 ||
    a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168) ||
    (a === 192 && b === 0 && (c === 0 || c === 2)) ||
    (a === 192 && b === 88 && c === 99) ||
    (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) ||
    (a === 203 && b === 0 && c === 113)
  )
}

/** Only 2000::/3 is public unicast; of it the documentation's own, 6to4 and Teredo carry other addresses inside. */
function isPrivateV6(address: string): boolean {
  const first = Number.parseInt(address.split(':')[0] || '0', 16)
  return first < 0x2000 || first > 0x3fff || /^(2001:0?:|2001:db8:|2002:|3fff:[0-9a-f]{0,3}:)/i.test(`${address}:`)
}
