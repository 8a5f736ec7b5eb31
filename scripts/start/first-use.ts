/** The line to paste into another terminal: a real request through the gateway. */

/** How each sample is sent: the provider's own path and headers. */
const wires = {
  anthropic: { path: 'v1/messages', headers: ['anthropic-version: 2023-06-01'] },
  openai: { path: 'v1/responses', headers: [] },
  gemini: { path: 'v1beta/models/gemini-2.5-flash:generateContent', headers: [] },
}

/**
 * Returns a command that sends the request of a sample through the gateway and shows the answer with its headers. It goes to a provider that the lab
 * stands for, so that it costs nothing; null: there is none.
 */
export function firstUse({
  base,
  accountKey,
  lab,
}: {
  base: string
  accountKey: string
  lab: string[]
}): string | null {
  const [provider, wire] = Object.entries(wires).find(([id]) => lab.includes(id)) ?? []
  if (provider === undefined || wire === undefined) return null
  const headers = [`x-pilotlight-key: ${accountKey}`, 'content-type: application/json', ...wire.headers]
  return [
    `curl -si ${base}/via/${provider}/${wire.path}`,
    ...headers.map((header) => `-H '${header}'`),
    `--data-binary @scripts/samples/${provider}.json`,
  ].join(' ')
}
