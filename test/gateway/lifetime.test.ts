import { expect, it } from 'vitest'
import { lifetimeOf } from '../../src/gateway/lifetime.ts'

const of = (headers: Record<string, string>): unknown => lifetimeOf(new Headers(headers)).lifetime

it.each([
  ['claude-cli/2.1.296 (external, cli)', 'interactive'],
  ['claude-cli/2.1.198 (external, claude-vscode, agent-sdk/0.3.198)', 'interactive'],
  ['claude-cli/2.1.282 (external, sdk-cli)', 'one_shot'],
  ['codex_exec/0.153.4 (Mac OS 26.2.0; arm64) ghostty/1.3.2 (codex_exec; 0.153.4)', 'one_shot'],
  ['codex-tui/0.154.0 (Ubuntu 22.4.0; x86_64) xterm-256color', 'interactive'],
  ['claude-cli/2.1.200 (external, sdk-ts, agent-sdk/0.2.1)', undefined],
  ['claude-cli/2.1.281', undefined],
  ['Anthropic/JS 0.71.0', undefined],
  ['proxy of codex_exec/1', undefined],
])('a call of %s', (agent, expected) => {
  expect(of({ 'user-agent': agent })).toBe(expected)
})

it('the header decides before the user agent, and in no other words than its two', () => {
  const agent = { 'user-agent': 'claude-cli/2.1.296 (external, cli)' }
  expect(of({ ...agent, 'x-pilotlight-lifetime': ' One_Shot ' })).toBe('one_shot')
  expect(of({ ...agent, 'x-pilotlight-lifetime': 'forever' })).toBeUndefined()
  expect(of({ ...agent, 'x-pilotlight-lifetime': '' })).toBeUndefined()
})
