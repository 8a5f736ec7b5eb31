/** A Worker of its own that serves tools: it answers what it received, or as its path says. */
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url)
    if (pathname === '/silent') return new Promise((resolve) => setTimeout(resolve, 30_000))
    if (pathname === '/large') return new Response('x'.repeat(70_000))
    if (pathname === '/moved')
      return new Response(null, { status: 307, headers: { location: 'https://tools.example' } })
    if (pathname === '/broken') return new Response('out of order', { status: 503 })
    if (pathname === '/throws') throw new Error('it broke')
    const headers = Object.fromEntries(
      ['webhook-id', 'webhook-timestamp', 'webhook-signature', 'idempotency-key'].map((name) => [
        name,
        request.headers.get(name),
      ]),
    )
    return Response.json({ url: request.url, method: request.method, headers, body: await request.text() })
  },
}
