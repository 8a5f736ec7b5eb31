/** Path in front of every call through the gateway. */
export const VIA = '/via/'

/**
 * Dot segments, which would lead out of the provider's address: workerd hands the URL on as it came, and resolves them when it sends. Servers on the way
 * decode what was encoded, some twice, and some drop the parameters of a segment before they resolve it.
 */
const SEPARATOR = /[/\\]|%(?:25)*(?:2f|5c)/i
const DOTS = /^(?:\.|%(?:25)*2e){1,2}(?:;.*)?$/i

/** The address of a call through the gateway, read. */
export interface Route {
  /** The token in the path, for clients that cannot add headers; null: there is none. */
  token: string | null
  /** Id of the provider. */
  provider: string
  /** Region or location behind an `@`; null: the path names none. */
  region: string | null
  /** What is behind the provider: path and query, with every byte as it came. */
  rest: string
}

/**
 * Reads the URL of a call: `/via/{provider}/…` or `/via/~{token}/{provider}/…`, where the provider may be `{provider}@{region}`. Returns null for
 * any other path.
 */
export function readRoute(url: string): Route | null {
  const target = /^[a-z]+:\/\/[^/?#]*([^#]*)/i.exec(url)?.[1] ?? ''
  if (!target.startsWith(VIA)) return null
  const parts = /^(?:~([^/?]*)\/)?([^/?@]+)(?:@([^/?@]+))?((?:\/|\?|$).*)$/s.exec(target.slice(VIA.length))
  if (
    target
      .split('?')[0]
      ?.split(SEPARATOR)
      .some((part) => DOTS.test(part)) === true
  )
    return null
  const [, token = null, provider, region = null, rest = ''] = parts ?? []
  return provider === undefined || provider.startsWith('~') ? null : { token, provider, region, rest }
}
