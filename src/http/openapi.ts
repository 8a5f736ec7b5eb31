import { room } from './context.ts'
import { accounts } from './openapi/accounts.ts'
import { bots } from './openapi/bots.ts'
import { caches } from './openapi/caches.ts'
import { deployment } from './openapi/deployment.ts'
import { openapiDocument } from './openapi/document.ts'
import { ledger } from './openapi/ledger.ts'
import { prefixes } from './openapi/prefixes.ts'
import { providers } from './openapi/providers.ts'
import { warm } from './openapi/warm.ts'
import type { Operation } from './openapi/operation.ts'

/** Every route of the API; tests hold them to those that are mounted. */
export const operations: readonly Operation[] = [
  ...deployment,
  ...warm,
  ...prefixes,
  ...caches,
  ...bots,
  ...providers,
  ...ledger,
  ...accounts,
]

let text: string | null = null

export const openapi = room().get('/openapi.json', (c) => {
  text ??= JSON.stringify(openapiDocument(operations))
  return c.body(text, 200, { 'content-type': 'application/json' })
})
