import { createMiddleware } from 'hono/factory'
import { Failure } from '../../../contract/failure.ts'
import type { Shared } from '../context.ts'

/**
 * Refuses a WebSocket that a page of another origin opens. Browsers let any page open one, without asking first as they do for other requests
 * (RFC 6455, section 10.2). A request without `Origin` is no browser's, and its key decides.
 */
export const socketOrigin = createMiddleware<Shared>(async (c, next) => {
  const origin = c.req.header('origin')
  if (origin !== undefined && asksForSocket(c.req.header('upgrade'))) {
    const why = refusedOrigin(origin, new URL(c.req.url).origin, c.env.WEBSOCKET_ORIGINS)
    if (why !== null) throw new Failure('forbidden', why, { field: 'origin' })
  }
  await next()
})

/** `Upgrade` is a list of protocols, each with an optional version, in any case. */
function asksForSocket(upgrade: string | undefined): boolean {
  return (upgrade ?? '').split(',').some((one) => one.trim().split('/')[0]?.toLowerCase() === 'websocket')
}

/** Reason why a page of this origin may open no WebSocket; null when it may. `list`: origins that the administrator allows, comma-separated. */
export function refusedOrigin(origin: string, own: string, list = ''): string | null {
  const given = originOf(origin)
  const entries = list
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  const allowed = entries.map(originOf)
  if (given !== null && (given === own || allowed.includes(given))) return null
  const sentence = 'origin: pages of this origin may not open a WebSocket here. The administrator lists those that may'
  const wrong = allowed.indexOf(null)
  if (wrong < 0) return `${sentence} in WEBSOCKET_ORIGINS.`
  return `${sentence} in WEBSOCKET_ORIGINS, whose entry ${wrong + 1} is not an origin such as https://app.example.`
}

/** The origin, as browsers spell it; null: the text is none. */
function originOf(text: string): string | null {
  if (!URL.canParse(text)) return null
  const { origin, href } = new URL(text)
  return origin !== 'null' && (href === `${origin}/` || href === origin) ? origin : null
}
