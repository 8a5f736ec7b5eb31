import type { Jurisdiction } from '../contract/account.ts'
import { Failure } from '../contract/failure.ts'
import { isDevelopment } from './env.ts'
import type { Vars } from './env.ts'

/**
 * Where an account's objects are kept. An object is in the place that its first call chose, for ever, and another place has another object of
 * the same name. So the place is part of the name under which an account is known inside: `shop`, or `shop.eu`. No id of an account holds a dot.
 */
const EU = '.eu'

/** Name of an account inside of the deployment. Null: in no jurisdiction. */
export function accountName(id: string, jurisdiction: Jurisdiction | null): string {
  return jurisdiction === null ? id : id + EU
}

/** Names that an account of this id can have. */
export function namesOf(id: string): string[] {
  return [id, id + EU]
}

/** Id of an account, as its administrator gave it. */
export function accountIdOf(name: string): string {
  return name.endsWith(EU) ? name.slice(0, -EU.length) : name
}

export function jurisdictionOf(name: string): Jurisdiction | null {
  return name.endsWith(EU) ? 'eu' : null
}

/** What of a namespace is used here. */
interface Namespace {
  jurisdiction: (place: Jurisdiction) => unknown
}

/**
 * The part of a namespace that an account's objects are in (https://developers.cloudflare.com/durable-objects/reference/data-location/,
 * checked 2026-11-30). Local workerd throws "Jurisdiction restrictions are not implemented": in development the objects are then beside the
 * others, and nowhere else is that accepted.
 */
export function namespaceOf<Of extends Namespace>(namespace: Of, account: string, vars: Vars): Of {
  const place = jurisdictionOf(account)
  if (place === null) return namespace
  try {
    return namespace.jurisdiction(place) as Of
  } catch {
    if (isDevelopment(vars)) return namespace
    const text =
      'This runtime cannot keep data in a jurisdiction. Cloudflare can; workerd on a machine of your own cannot.'
    throw new Failure('unsupported', text, { field: 'jurisdiction' })
  }
}
