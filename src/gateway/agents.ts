import { shortHash } from '../providers/prefix/outline.ts'
import type { AgentsOfCall } from '../registration/by-use/lesson.ts'
import type { CredentialUse } from '../registration/credential-use.ts'
import { presentedKeys } from './keys.ts'

/** Headers in which a client names the agent of a call, and the agent that waits for it. */
interface AgentHeaders {
  /** The first that is there names the agent. */
  self: readonly string[]
  parent: string
  /** Names the parent of a call that has `self[0]` and no `parent`; absent: nothing does. */
  lead?: string
}

/**
 * The headers by client, checked on 2026-12-01. The first that is there counts.
 *
 * - Claude Code, from 2.1.139 on: its session on every call, its agent on those of subagents, and its parent where that is a subagent too; without one
 *   the session's main agent waits. Source: code.claude.com/docs/en/changelog.
 * - Codex: `thread-id`, and the thread that spawned it. Source: github.com/openai/codex, codex-rs/core/src/responses_metadata.rs.
 * - OpenCode: `x-session-id`, and its parent's. Source: github.com/sst/opencode, packages/opencode/src/session/llm.ts.
 */
const KNOWN: readonly AgentHeaders[] = [
  { self: ['x-pilotlight-session'], parent: 'x-pilotlight-parent' },
  {
    self: ['x-claude-code-agent-id', 'x-claude-code-session-id'],
    parent: 'x-claude-code-parent-agent-id',
    lead: 'x-claude-code-session-id',
  },
  { self: ['thread-id'], parent: 'x-codex-parent-thread-id' },
  { self: ['x-session-id'], parent: 'x-parent-session-id' },
]

/** Most characters of the name of an agent, or of a session. A longer one is no name. */
export const LONGEST_AGENT_NAME = 512

/** The name of an agent or of a session in a header; null: it holds none. */
export function agentNameIn(headers: Headers, name: string): string | null {
  const value = headers.get(name)?.trim() ?? ''
  return value === '' || value.length > LONGEST_AGENT_NAME ? null : value
}

/** Names of the agent of a call, and of the one that waits for it, as its headers say. Null: they name none. */
export function agentNames(headers: Headers): { self: string | null; parent: string | null } {
  const valueOf = (name: string): string | null => agentNameIn(headers, name)
  const first = (all: readonly (string | null)[]): string | null => all.find((value) => value !== null) ?? null
  const self = first(KNOWN.flatMap((one) => one.self.map(valueOf)))
  const parent = first(
    KNOWN.map((one) => {
      const isChild = one.lead !== undefined && valueOf(one.self[0] ?? '') !== null
      return valueOf(one.parent) ?? (isChild ? valueOf(one.lead ?? '') : null)
    }),
  )
  return { self, parent: parent === self ? null : parent }
}

/**
 * The agents of a call as they leave the isolate: hashes of their names with the account, the provider and the credential, so that no agent is found
 * from another credential. `ownKey`: the caller's own key; null: a stored one was sent. Undefined: its headers name none.
 */
export function agentsOf(
  { headers, url }: Pick<Request, 'headers' | 'url'>,
  { account, provider, credential, isOwnKey }: Sender,
): Pick<AgentsOfCall, 'self' | 'parent'> | undefined {
  const { self, parent } = agentNames(headers)
  if (self === null && parent === null) return undefined
  const own = isOwnKey ? presentedKeys(headers, new URL(url).search) : []
  const hashed = (name: string | null): string | null =>
    name === null
      ? null
      : shortHash(JSON.stringify([account, provider, credential.name, credential.generation, own, name]))
  return { self: hashed(self), parent: hashed(parent) }
}

/** Who sends a call, and with what. */
interface Sender {
  account: string
  provider: string
  credential: CredentialUse
  isOwnKey: boolean
}
