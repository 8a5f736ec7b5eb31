import { createHash } from 'node:crypto'

/** The text between every `<tag …>` and `</tag>`, exactly as a browser hashes it. */
function inlined(html: string, tag: 'script' | 'style'): string[] {
  return Array.from(html.matchAll(new RegExp(`<${tag}\\b[^>]*>([\\s\\S]*?)</${tag}>`, 'g')), (match) => match[1] ?? '')
}

function sources(html: string, tag: 'script' | 'style'): string {
  return inlined(html, tag)
    .map((text) => `'sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}'`)
    .join(' ')
}

/**
 * The headers a self-contained page is served with. Only the scripts and styles that stand in this very text run: their hashes
 * are computed from it, so page and policy cannot drift. It may call its own origin, and nothing may frame it. The page holds no
 * secret and knows none until a key is typed; nothing is stored anyway, so that a new deployment is seen at once.
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
