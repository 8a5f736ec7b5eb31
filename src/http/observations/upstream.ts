/** Names of upstreams, as routers write them. Anything longer is no name. */
const NAME = /^[\w][\w .:/()-]{0,63}$/

/** The upstream that a router names in the usage of an answer. */
export function upstreamIn({ provider }: Record<string, unknown>): { upstream?: string } {
  return typeof provider === 'string' && NAME.test(provider) ? { upstream: provider } : {}
}
