import type { OverrideChange, Overrides, ProviderOverride } from '../../../core/model/overrides.ts'
import type { Sql } from '../../sql.ts'

/** Overrides as a list of changes; the last change of each provider is in force. Rows are never edited, so the list is a log. */
export class OverrideStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  add(provider: string, override: ProviderOverride | null, at: number, requestId: string): void {
    const text = override === null ? null : JSON.stringify(override)
    this.#sql.all(
      'INSERT INTO fact (provider, at, request_id, override) VALUES (?, ?, ?, ?)',
      provider,
      at,
      requestId,
      text,
    )
  }

  /** Changes of a provider, newest first. */
  changes(provider: string, limit: number): OverrideChange[] {
    return this.#sql
      .all<Omit<OverrideChange, 'override'> & { override: string | null }>(
        'SELECT version, provider, at, request_id AS requestId, override FROM fact WHERE provider = ? ORDER BY version DESC LIMIT ?',
        provider,
        limit,
      )
      .map((row) => ({ ...row, override: parsed(row.override) }))
  }

  overrides(): Overrides {
    const rows = this.#sql.all<{ version: number; provider: string; override: string | null }>(
      'SELECT version, provider, override FROM fact WHERE version IN (SELECT max(version) FROM fact GROUP BY provider)',
    )
    const providers: Overrides['providers'] = {}
    for (const { provider, override } of rows) {
      const one = parsed(override)
      if (one !== null) providers[provider] = one
    }
    return { version: Math.max(0, ...rows.map(({ version }) => version)), providers }
  }
}

function parsed(text: string | null): ProviderOverride | null {
  return text === null ? null : (JSON.parse(text) as ProviderOverride)
}
