import { html } from './page.ts'
import { securePageHeaders } from './secure-page.ts'

const headers = securePageHeaders(html)

/**
 * Answers with the dashboard: an account's prefixes, live, with the cost and savings of warming. It needs no authentication,
 * because the page itself asks for the key.
 */
export function dashboard(): Response {
  return new Response(html, { headers })
}
