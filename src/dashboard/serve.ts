import html from './page.html'
import { securePageHeaders } from './secure-page.ts'

const headers = securePageHeaders(html)

/** The page people look at: a live list of an account's prefixes. It asks for the key itself, so it is served to anyone. */
export function dashboard(): Response {
  return new Response(html, { headers })
}
