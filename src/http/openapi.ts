import { router } from './server/context.ts'
import { accounts } from './accounts/openapi.ts'
import { bots } from './bots/openapi.ts'
import { caches } from './caches/openapi.ts'
import { candidates } from './candidates/openapi.ts'
import { deployment } from './deployment/openapi.ts'
import { openapiDocument } from './server/openapi-document.ts'
import { ledger } from './ledger/openapi.ts'
import { diagnosis } from './diagnosis/openapi.ts'
import { misses } from './misses/openapi.ts'
import { lifetimes } from './lifetimes/openapi.ts'
import { prefixes } from './prefixes/openapi.ts'
import { providers } from './providers/openapi.ts'
import { reports } from './reports/openapi.ts'
import { stats } from './stats/openapi.ts'
import { warm } from './warm/openapi.ts'
import type { Operation } from './server/openapi-operation.ts'

/** Every route of the API. A test compares them with the mounted ones. */
export const operations: readonly Operation[] = [
  ...deployment,
  ...warm,
  ...reports,
  ...prefixes,
  ...candidates,
  ...caches,
  ...bots,
  ...providers,
  ...ledger,
  ...stats,
  ...lifetimes,
  ...diagnosis,
  ...misses,
  ...accounts,
]

let text: string | null = null

export const openapi = router().get('/openapi.json', (c) => {
  text ??= JSON.stringify(openapiDocument(operations))
  return c.body(text, 200, { 'content-type': 'application/json' })
})
