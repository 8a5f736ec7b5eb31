import { createHash } from 'node:crypto'

/** Returns the texts between `<tag …>` and `</tag>`, exactly as a browser hashes them. */
function inlined(html: string, tag: 'script' | 'style'): string[] {
  return Array.from(html.matchAll(new RegExp(`<${tag}\\b[^>]*>([\\s\\S]*?)</${tag}>`, 'g')), (match) => match[1] ?? '')
}

function sources(html: string, tag: 'script' | 'style'): string {
  return inlined(html, tag)
    .map((text) => `'sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}'`)
    .join(' ')
}

/**
 * Returns the headers of a self-contained page. Only the scripts and styles in `html` may run: their hashes are computed from it,
 * so page and policy always agree. The page may call its own origin, and no page may frame it. It contains no secret. `no-store`
 * makes browsers show a new deployment at once.
 */
export function securePageHeaders(html: string): Record<string, string> {
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': [
      "default-src 'none'",
      `script-src ${sources(html, 'script')}`,
      `style-src ${sources(html, 'style')}`,
      "connect-src 'self'",
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ].join('; '),
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    'cache-control': 'no-store',
  }
}
