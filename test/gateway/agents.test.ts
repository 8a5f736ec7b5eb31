import { expect, it } from 'vitest'
import { agentNames, agentsOf } from '../../src/gateway/agents.ts'

const SESSION = 'x-claude-code-session-id'
const AGENT = 'x-claude-code-agent-id'
const PARENT = 'x-claude-code-parent-agent-id'

it.each<[Record<string, string>, string | null, string | null]>([
  [{ [SESSION]: 's' }, 's', null],
  [{ [SESSION]: 's', [AGENT]: 'a' }, 'a', 's'],
  [{ [SESSION]: 's', [AGENT]: 'b', [PARENT]: 'a' }, 'b', 'a'],
  [{ [AGENT]: 'a' }, 'a', null],
  [{ 'thread-id': 't2', 'x-codex-parent-thread-id': 't1' }, 't2', 't1'],
  [{ 'x-session-id': 'o2', 'x-parent-session-id': 'o1' }, 'o2', 'o1'],
  [{ 'x-pilotlight-session': 'mine' }, 'mine', null],
  [{ 'x-pilotlight-session': ' mine ', 'x-pilotlight-parent': 'lead' }, 'mine', 'lead'],
  [{ 'x-pilotlight-parent': 'lead', [SESSION]: 's' }, 's', 'lead'],
  [{ 'x-pilotlight-parent': 'lead' }, null, 'lead'],
  [{ 'x-pilotlight-session': 'one', 'x-pilotlight-parent': 'one' }, 'one', null],
  [{ 'x-pilotlight-session': 'x'.repeat(513), 'x-pilotlight-parent': '' }, null, null],
  [{}, null, null],
])('%j names an agent and its parent', (headers, self, parent) => {
  expect(agentNames(new Headers(headers))).toEqual({ self, parent })
})

const sender = {
  account: 'one',
  provider: 'anthropic',
  credential: { name: 'default', generation: 1 },
  isOwnKey: false,
}
const hashes = (
  more: Partial<typeof sender> = {},
  headers: Record<string, string> = {},
  url = 'https://p.test/via/x',
) =>
  agentsOf(
    { url, headers: new Headers({ 'x-pilotlight-session': 'child', 'x-pilotlight-parent': 'lead', ...headers }) },
    { ...sender, ...more },
  )

it('names leave as hashes, and a child is found by the name that its parent calls itself', () => {
  const seen = hashes()
  expect(JSON.stringify(seen)).not.toMatch(/child|lead/)
  const lead = agentsOf({ url: 'https://p.test', headers: new Headers({ [SESSION]: 'lead' }) }, sender)
  expect(lead).toEqual({ self: seen?.parent, parent: null })
  expect(agentsOf({ url: 'https://p.test', headers: new Headers() }, sender)).toBeUndefined()
})

it('another account, provider, credential, generation or key has other hashes', () => {
  const own = { isOwnKey: true }
  const all = [
    hashes(),
    hashes({ account: 'two' }),
    hashes({ provider: 'openai' }),
    hashes({ credential: { name: 'team', generation: 1 } }),
    hashes({ credential: { name: 'default', generation: 2 } }),
    hashes(own, { 'x-api-key': 'sk-1' }),
    hashes(own, { authorization: 'Bearer sk-2' }),
    hashes(own, {}, 'https://p.test/via/x?key=sk-3'),
  ]
  expect(new Set(all.map((one) => one?.parent)).size).toBe(all.length)
  expect(new Set(all.map((one) => one?.self)).size).toBe(all.length)
  expect(hashes(own, { 'x-api-key': 'sk-1' })).toEqual(all[5])
})
