import { failureValue } from '../contract/failure.ts'
import { nearest } from '../contract/nearest.ts'
import { dashboard } from '../dashboard/serve.ts'
import type { Overrides } from '../core/model/overrides.ts'
import { freshOverrides } from '../runtime/overrides.ts'
import { newId } from '../runtime/ids.ts'
import { accounts } from './accounts/routes.ts'
import { configured } from './server/auth.ts'
import { bots } from './bots/routes.ts'
import { caches } from './caches/routes.ts'
import { candidates } from './candidates/routes.ts'
import { clockOf, directoryOf, router } from './server/context.ts'
import { answerFailure, answerThrown } from './server/errors.ts'
import { socketOrigin } from './server/access/origin.ts'
import { credentials } from './accounts/credentials.ts'
import { accountExport } from './accounts/export.ts'
import { gateways } from './gateways/routes.ts'
import { health } from './deployment/health.ts'
import { jobs } from './warm/jobs.ts'
import { killSwitch } from './deployment/kill-switch.ts'
import { ledger } from './ledger/routes.ts'
import { lifetimes } from './lifetimes/routes.ts'
import { metrics } from './deployment/metrics.ts'
import { misses } from './misses/routes.ts'
import { observations } from './observations/routes.ts'
import { openapi } from './openapi.ts'
import { diagnosis } from './diagnosis/routes.ts'
import { factOverrides } from './providers/overrides.ts'
import { preload } from './preload/routes.ts'
import { prefixes } from './prefixes/routes.ts'
import { prompts } from './accounts/prompts.ts'
import { providers } from './providers/routes.ts'
import { reports } from './reports/routes.ts'
import { render } from './warm/render.ts'
import { stats } from './stats/routes.ts'
import { signals } from './prefixes/signals.ts'
import { warm } from './warm/routes.ts'
import { webhook } from './accounts/webhook.ts'

/** A caller's request id is kept if it has this form. */
const REQUEST_ID = /^[A-Za-z0-9._:-]{1,100}$/

export const app = router()

app.onError((thrown, c) => answerThrown(c, thrown))

app.use(async (c, next) => {
  const given = c.req.header('x-request-id')
  c.set('requestId', given !== undefined && REQUEST_ID.test(given) ? given : newId('req'))
  c.set('askedAt', clockOf(c).now())
  await next()
  c.res.headers.set('x-request-id', c.var.requestId)
  const secure = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' }
  for (const [name, value] of Object.entries(secure)) if (!c.res.headers.has(name)) c.res.headers.set(name, value)
})

app.use(socketOrigin)
app.get('/', () => dashboard())
app.route('/', health)
app.use(configured)
app.use(async (c, next) => {
  await freshOverrides(clockOf(c), async () => (await directoryOf(c).overrides()) as Overrides)
  await next()
})
for (const resource of [
  warm,
  render,
  preload,
  gateways,
  prefixes,
  signals,
  observations,
  reports,
  candidates,
  jobs,
  caches,
  bots,
  providers,
  factOverrides,
  metrics,
  ledger,
  stats,
  lifetimes,
  diagnosis,
  misses,
  accounts,
  prompts,
  accountExport,
  credentials,
  webhook,
  killSwitch,
  openapi,
])
  app.route('/', resource)

/** Every route of the API. */
export function knownRoutes(): { method: string; path: string }[] {
  return app.routes.filter(({ method }) => method !== 'ALL').map(({ method, path }) => ({ method, path }))
}

app.notFound((c) => {
  const { method, path } = c.req
  const methods = methodsOf(path)
  if (methods.length === 0) {
    const hint = nearestPath(path)
    const instead = hint === null ? '' : ` Did you mean ${hint}?`
    return answerFailure(
      c,
      failureValue('not_found', `This route does not exist.${instead} GET /openapi.json has all.`),
    )
  }
  c.header('allow', methods.join(', '))
  if (method === 'OPTIONS') return c.body(null, 204)
  const message = `This path does not support this method; it supports ${methods.join(', ')}.`
  return answerFailure(c, failureValue('method_not_allowed', message, { methods }))
})

/** Methods that a path has; empty: there is no such path. */
function methodsOf(path: string): string[] {
  const own = knownRoutes().filter((route) => filled(route.path, path) === path)
  return [...new Set(own.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))]
}

/** The path that is nearest to one that does not exist, with its parameters by name; null: none is near. */
function nearestPath(path: string): string | null {
  const patterns = [...new Set(knownRoutes().map((route) => route.path))]
  const all = patterns.flatMap((pattern) => {
    const like = filled(pattern, path)
    return like === null ? [] : [{ pattern, like }]
  })
  const near = nearest(
    path,
    all.map(({ like }) => like),
  )
  const pattern = all.find(({ like }) => like === near)?.pattern
  return pattern === undefined ? null : pattern.replaceAll(/:(\w+)/g, '{$1}')
}

/** A pattern with the parameters of a path in their places; null: the path has another number of segments. */
function filled(pattern: string, path: string): string | null {
  const [wanted, given] = [pattern.split('/'), path.split('/')]
  if (wanted.length !== given.length) return null
  return wanted.map((part, index) => (part.startsWith(':') ? given[index] : part)).join('/')
}
