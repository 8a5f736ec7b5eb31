import { ask, connectionOf, PilotlightError } from '../../client/connection.ts'
import type { Connection } from '../../client/connection.ts'
import type { Shell } from '../shell.ts'
import { CommandError, EXIT } from './exit.ts'
import { settingsOf } from './settings.ts'
import type { SettingFlags } from './settings.ts'

/** Whose key a call carries. */
export type Who = 'account' | 'admin' | 'nobody'

/** A JSON object of an answer. */
export type Json = Record<string, unknown>

const TIMEOUT_MS = 90_000

/** A deployment, asked. Every failure is a `CommandError` that says what to do next. */
export class Api {
  readonly url: string
  readonly #connections: Readonly<Record<Who, Connection | null>>

  constructor(shell: Shell, flags: SettingFlags) {
    const { url, key, adminKey } = settingsOf(shell, flags)
    const connection = (bearer: string | null): Connection | null =>
      bearer === null
        ? null
        : connectionOf({
            baseUrl: url,
            key: bearer,
            retries: 0,
            timeoutMs: TIMEOUT_MS,
            ...(shell.fetch === undefined ? {} : { fetch: shell.fetch }),
          })
    this.url = url
    this.#connections = { account: connection(key), admin: connection(adminKey), nobody: connection('') }
  }

  has(who: Who): boolean {
    return this.#connections[who] !== null
  }

  get(path: string, who: Who = 'account'): Promise<Json> {
    return this.ask('GET', path, {}, who)
  }

  /** `text`: JSON that is sent as it is. */
  async ask(
    method: string,
    path: string,
    content: { body?: unknown; text?: string } = {},
    who: Who = 'account',
  ): Promise<Json> {
    const connection = this.#connections[who]
    if (connection === null) throw lacksKey(who)
    try {
      return await ask<Json>(connection, method, path, {
        ...content,
        ...(who === 'account' ? {} : { idempotencyKey: null }),
      })
    } catch (thrown) {
      if (thrown instanceof PilotlightError) throw explained(thrown, this.url, who)
      throw thrown
    }
  }

  /** Every entry of a list, page by page. */
  async *pages(path: string, who: Who = 'account'): AsyncGenerator<Json[]> {
    let cursor: string | null = null
    do {
      const next: string =
        cursor === null ? '' : `${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(cursor)}`
      const page: Json = await this.get(path + next, who)
      yield page['data'] as Json[]
      cursor = (page['next_cursor'] as string | null | undefined) ?? null
    } while (cursor !== null)
  }

  async list(path: string, most = Number.POSITIVE_INFINITY, who: Who = 'account'): Promise<Json[]> {
    const all: Json[] = []
    for await (const page of this.pages(path, who)) {
      all.push(...page)
      if (all.length >= most) break
    }
    return all.slice(0, most)
  }
}

function lacksKey(who: Who): CommandError {
  const [what, name, member] =
    who === 'admin'
      ? ["the administrator's key", 'PILOTLIGHT_ADMIN_KEY', 'admin_key']
      : ["an account's key", 'PILOTLIGHT_KEY', 'key']
  return new CommandError(
    EXIT.notConfigured,
    `This command needs ${what}. Set ${name}, put "${member}" into .pilotlight.json, or give --key-file.`,
  )
}

function explained({ status, kind, message }: PilotlightError, url: string, who: Who): CommandError {
  if (status === 0)
    return new CommandError(
      EXIT.unreachable,
      `${url} did not answer: ${message}. Check the URL with pilotlight doctor, and that the deployment runs.`,
    )
  if (status === 401)
    return new CommandError(
      EXIT.noPermission,
      `The key was refused: ${message} ${who === 'admin' ? 'PILOTLIGHT_ADMIN_KEY must be the ADMIN_KEY of the deployment.' : 'pilotlight keys ACCOUNT makes another one.'}`,
    )
  if (status === 403) return new CommandError(EXIT.noPermission, message)
  return new CommandError(status >= 500 && kind === 'internal' ? EXIT.unreachable : EXIT.refused, message)
}
