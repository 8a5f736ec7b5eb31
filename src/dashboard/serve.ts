import { html } from './page.ts'
import { securePageHeaders } from './secure-page.ts'

const headers = securePageHeaders(html)

/** The page people look at: an account's prefixes, live, and what warming them cost and saved. It asks for the key itself, so it is served to anyone. */
export function dashboard(): Response {
  return new Response(html, { headers })
}
