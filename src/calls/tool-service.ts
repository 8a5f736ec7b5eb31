import { failureValue } from '../contract/failure.ts'
import type { FailureValue } from '../contract/failure.ts'
import type { Vars } from '../runtime/env.ts'

/** Tools behind service bindings: other Workers of the same Cloudflare account, which need no public address. */

/** Host of the URL that such a Worker sees. It exists nowhere else. */
const SERVICE_ORIGIN = 'https://tools.pilotlight.internal'

/** The bindings that the administrator lets tools use: the names in TOOL_SERVICES. */
export function toolServices({ TOOL_SERVICES = '' }: Vars): string[] {
  return [...new Set(TOOL_SERVICES.split(',').map((name) => name.trim()))].filter((name) => name !== '')
}

/** Reason why a tool may not use a service; null when it may. `field` names it in the failure. */
export function refusedService(name: string, vars: Vars, field: string): FailureValue | null {
  const known = toolServices(vars)
  if (!known.includes(name)) {
    const which = known.length === 0 ? 'lists none' : `lists ${known.join(', ')}`
    const message = `${field}: must be a service that the administrator allows to tools; TOOL_SERVICES ${which}.`
    return failureValue('invalid_request', message, { field, known })
  }
  if (bindingOf(name, vars) !== null) return null
  const message = `${field}: TOOL_SERVICES names this service, but the Worker has no service binding of that name.`
  return failureValue('not_configured', message, { field, variable: name })
}

/** The URL that a service receives. */
export function serviceUrl(path = '/'): string {
  return SERVICE_ORIGIN + path
}

/** The `fetch` of an allowed service; null: it is not allowed any more, or not bound. */
export function serviceFetch(name: string, vars: Vars): typeof globalThis.fetch | null {
  if (refusedService(name, vars, 'service') !== null) return null
  const service = bindingOf(name, vars)
  return service === null ? null : (input, init) => service.fetch(new Request(input, init))
}

interface Service {
  fetch: (request: Request) => Promise<Response>
}

/** A binding that has `fetch`, as those of services have. Variables, queues and namespaces of objects have none. */
function bindingOf(name: string, vars: Vars): Service | null {
  const found = Object.hasOwn(vars, name) ? (vars as unknown as Record<string, unknown>)[name] : undefined
  if (typeof found !== 'object' || found === null) return null
  return typeof (found as Partial<Service>).fetch === 'function' ? (found as Service) : null
}
