/** Pages of clients: their addresses, read by the gateway's own router, with what each client appends. */
import { describe, expect, it, test } from 'vitest'
import { upstreamUrl } from '../../src/gateway/address.ts'
import { readRoute } from '../../src/gateway/route.ts'
import { wireOf } from '../../src/providers/registry.ts'
import { cardById } from '../../src/runtime/cards.ts'
import { accessTo, takesRegion } from '../../src/runtime/env.ts'
import type { Vars } from '../../src/runtime/env.ts'
import { documents, links, readText } from './documents.ts'

const all = documents.filter(({ path }) => path.startsWith('docs/clients/') && !path.endsWith('README.md'))

/** Pages of clients that report usage, and call their providers at their own addresses. */
const REPORTING = ['docs/clients/python.md', 'docs/clients/traces.md']
const pages = all.filter(({ path }) => !REPORTING.includes(path))

/** Addresses of the gateway in a text, as their page has them. */
const addressesIn = (text: string): string[] =>
  [...text.matchAll(/https:\/\/pilotlight\.example\.workers\.dev\/via\/[^\s"'`)},]+/g)].map(([address]) => address)

const VARIABLES: Vars & Record<string, string> = {
  AZURE_OPENAI_BASE_URL: 'https://acme.openai.azure.com/openai/v1',
  VERTEX_PROJECT: 'acme',
  VERTEX_LOCATION: 'us-east1',
  BEDROCK_REGION: 'us-east-1',
}

/** Where a call ends up whose client appends `path` to an address. */
function reached(address: string, path: string): string {
  const route = readRoute(address + path)
  if (route === null) throw new Error(`${address} is no address of the gateway`)
  const card = cardById(route.provider)
  if (card === undefined) throw new Error(`${address} names no provider`)
  if (route.region !== null && !takesRegion(card)) throw new Error(`${address} names a region`)
  const { baseUrl } = accessTo(card, VARIABLES, route.region ?? undefined)
  return upstreamUrl({ template: card.baseUrl, baseUrl, version: wireOf(card).version }, route.rest)
}

const MESSAGES = 'https://api.anthropic.com/v1/messages'
const RESPONSES = 'https://api.openai.com/v1/responses'
const GOOGLE = 'https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent'
const BEDROCK = 'https://bedrock-runtime.eu-west-1.amazonaws.com/model/x/converse'
const AZURE = 'https://acme.openai.azure.com/openai'
const VERTEX = 'https://europe-west1-aiplatform.googleapis.com/v1/projects/acme/locations/europe-west1/publishers'

/** By page and by the end of an address: what the client appends, and where the call must arrive. */
const APPENDED: Record<string, [end: string, path: string, url: string][]> = {
  openai: [['/openai/v1', '/responses', RESPONSES]],
  anthropic: [['/anthropic', '/v1/messages', MESSAGES]],
  gemini: [
    ['/gemini', '/v1beta/models/gemini-2.5-flash:generateContent', GOOGLE],
    [
      '/vertex@europe-west1',
      '/v1/projects/acme/locations/europe-west1/publishers/google/models/g:generateContent',
      `${VERTEX}/google/models/g:generateContent`,
    ],
  ],
  'ai-sdk': [
    ['/anthropic', '/messages', MESSAGES],
    ['/openai', '/responses', RESPONSES],
    ['/gemini', '/models/gemini-2.5-flash:generateContent', GOOGLE],
  ],
  langchain: [
    ['/anthropic', '/v1/messages', MESSAGES],
    ['/openai/v1', '/chat/completions', 'https://api.openai.com/v1/chat/completions'],
    ['/gemini', '/v1beta/models/gemini-2.5-flash:generateContent', GOOGLE],
  ],
  'openai-agents': [['/openai/v1', '/responses', RESPONSES]],
  curl: [['/anthropic/v1/messages', '', MESSAGES]],
  agents: [
    ['/anthropic', '/v1/messages', MESSAGES],
    ['/anthropic/v1', '/messages', MESSAGES],
    ['/gemini', '/v1beta/models/gemini-2.5-flash:generateContent', GOOGLE],
  ],
  'claude-code': [
    ['/anthropic', '/v1/messages?beta=true', `${MESSAGES}?beta=true`],
    [
      '/vertex-anthropic@europe-west1/v1',
      '/projects/acme/locations/europe-west1/publishers/anthropic/models/c:rawPredict',
      `${VERTEX}/anthropic/models/c:rawPredict`,
    ],
  ],
  codex: [['/openai/v1', '/responses', RESPONSES]],
  litellm: [
    ['/anthropic', '/v1/messages', MESSAGES],
    ['/openai/v1', '/chat/completions', 'https://api.openai.com/v1/chat/completions'],
  ],
  bedrock: [['/bedrock@eu-west-1', '/model/x/converse', BEDROCK]],
  azure: [
    [
      '/azure-openai',
      '/openai/deployments/m/chat/completions?api-version=2024-10-21',
      `${AZURE}/deployments/m/chat/completions?api-version=2024-10-21`,
    ],
    ['/azure-openai/openai/v1', '/responses', `${AZURE}/v1/responses`],
  ],
}

describe.each(pages)('$path', ({ path, text }) => {
  const appended = APPENDED[path.replace(/^docs\/clients\/|\.md$/g, '')] ?? []

  test('every address leads to where the client means to go', () => {
    const addresses = [...new Set(addressesIn(text))]
    expect(addresses.length).toBeGreaterThan(0)
    const ends = addresses.map((address) => /\/via(?:\/~TOKEN)?(\/.+)$/.exec(address)?.[1])
    expect([...new Set(ends)].toSorted()).toEqual(appended.map(([end]) => end).toSorted())
    for (const address of addresses) {
      for (const [end, more, url] of appended) {
        if (/\/via(?:\/~TOKEN)?(\/.+)$/.exec(address)?.[1] === end) expect(reached(address, more)).toBe(url)
      }
    }
  })

  test('it says how to see that it works, what is not seen, and what the address changes', () => {
    for (const point of ['To see that it works', 'What is not seen', 'What the address changes']) {
      expect(text).toContain(`**${point}`)
    }
  })
})

it.each(all.filter(({ path }) => REPORTING.includes(path)))(
  '$path has no address, and says what is not seen',
  ({ text }) => {
    expect(addressesIn(text)).toEqual([])
    expect(text).toContain('**What is not seen**')
  },
)

it('docs/clients/README.md lists every page', () => {
  const readme = { path: 'docs/clients/README.md', text: readText('docs/clients/README.md') }
  const listed = links(readme).map(({ target }) => target)
  expect(all.map(({ path }) => path).filter((path) => !listed.includes(path))).toEqual([])
  expect(Object.keys(APPENDED)).toHaveLength(pages.length)
})

it('an address that leads nowhere is found', () => {
  expect(() => reached('https://pilotlight.example.workers.dev/via/nobody', '/v1/x')).toThrow('names no provider')
  expect(() => reached('https://pilotlight.example.workers.dev/v1', '/x')).toThrow('no address of the gateway')
  expect(() => reached('https://pilotlight.example.workers.dev/via/openai@eu', '/x')).toThrow('names a region')
})
