import { expect, it } from 'vitest'
import { withCredentials, withoutCredentials } from '../../../../src/providers/dialects/shared/credentials.ts'

const servers = [
  { type: 'url', url: 'https://a.example', authorization_token: 'one' },
  { type: 'url', url: 'https://b.example', authorization_token: 'two' },
]

it.each<[string, unknown, string[]]>([
  ['servers beside the tools', { mcp_servers: servers, tools: [] }, ['one', 'two']],
  [
    'an MCP tool',
    { tools: [{ type: 'mcp', authorization: 'a', headers: { 'X-Key': 'b', Accept: 'c' } }] },
    ['a', 'b', 'c'],
  ],
  [
    'servers inside a tool',
    { tools: [{ mcpServers: [{ streamableHttpTransport: { headers: { Authorization: 'x' } } }] }] },
    ['x'],
  ],
  ['no server', { tools: [{ name: 'mcp', input_schema: { properties: { authorization: { type: 'string' } } } }] }, []],
  ['words in a prompt', { system: 'The mcp authorization_token is said here.', messages: [] }, []],
])('takes credentials out of a body with %s, and puts them back', (_, body, expected) => {
  const text = JSON.stringify(body, null, 1)
  const bare = withoutCredentials(text)
  expect(bare.credentials).toEqual(expected)
  expect(withCredentials(bare.text, bare.credentials)).toBe(text)
  for (const credential of expected) expect(bare.text).not.toContain(`"${credential}"`)
})

it('finds a name that is written in escapes', () => {
  const text = String.raw`{"\u006dcp_servers":[{"authorization_\u0074oken":"one"}]}`
  expect(withoutCredentials(text).credentials).toEqual(['one'])
})

it('leaves alone what it took out before', () => {
  const { text } = withoutCredentials(JSON.stringify({ mcp_servers: servers }))
  expect(withoutCredentials(text)).toEqual({ text, credentials: [] })
})

it('fills the beginning of a body with the first of its credentials', () => {
  const { credentials } = withoutCredentials(JSON.stringify({ mcp_servers: servers }))
  const { text } = withoutCredentials(JSON.stringify({ mcp_servers: servers.slice(0, 1) }))
  expect(withCredentials(text, credentials)).toBe(JSON.stringify({ mcp_servers: servers.slice(0, 1) }))
})
