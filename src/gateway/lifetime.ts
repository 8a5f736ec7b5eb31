import { lifetime, LIFETIME_HEADER } from '../contract/lifetime.ts'
import type { Lifetime } from '../contract/lifetime.ts'

/**
 * What user agents of known clients say of a session, checked on 2026-12-01. The first that matches decides.
 *
 * - Claude Code names its entry point behind `external`: `cli` is its screen, `claude-vscode` that of the editor, `sdk-cli` its print mode (`claude -p`).
 *   Recorded headers in public repositories: `claude-cli/2.1.296 (external, cli)`, `claude-cli/2.1.282 (external, sdk-cli)`,
 *   `claude-cli/2.1.198 (external, claude-vscode, agent-sdk/0.3.198)`. Programs on the Agent SDK (`sdk-ts`, `sdk-py`) may be of either kind.
 * - Codex names its originator: `codex_exec` is `codex exec`, which ends with its task; `codex-tui` and, formerly, `codex_cli_rs` are its screen.
 *   Recorded: `codex_exec/0.153.4 (Mac OS 26.2.0; arm64) …`, `codex-tui/0.154.0 (Ubuntu 22.4.0; x86_64) …`, `codex_cli_rs/0.160.1`.
 *
 * One that comes back after a silence corrects it (core/prefix/lifetime.ts).
 */
const KNOWN: readonly (readonly [RegExp, Lifetime])[] = [
  [/^claude-cli\/\S+ \(external, sdk-cli[,)]/i, 'one_shot'],
  [/^claude-cli\/\S+ \(external, (?:cli|claude-vscode)[,)]/i, 'interactive'],
  [/^codex_exec\//i, 'one_shot'],
  [/^(?:codex-tui|codex_cli_rs)\//i, 'interactive'],
]

/** How long the session of a call lives: by its header, else by its user agent. Empty: not known, and so where the header is none of these words. */
export function lifetimeOf(headers: Headers): { lifetime?: Lifetime } {
  const said = headers.get(LIFETIME_HEADER)
  if (said !== null) {
    const read = lifetime.safeParse(said.trim().toLowerCase())
    return read.success ? { lifetime: read.data } : {}
  }
  const agent = headers.get('user-agent') ?? ''
  const known = KNOWN.find(([pattern]) => pattern.test(agent))?.[1]
  return known === undefined ? {} : { lifetime: known }
}
