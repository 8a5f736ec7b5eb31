import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as z from 'zod'
import type { Shell } from '../shell.ts'
import { CommandError, EXIT } from './exit.ts'

/** Name of the file in a project's folder, or above it. */
export const PROJECT_FILE = '.pilotlight.json'

/** Where a deployment is, and with which keys it is asked. */
export interface Settings {
  url: string
  key: string | null
  adminKey: string | null
}

/** What every command that asks a deployment takes. */
export interface SettingFlags {
  url?: string
  keyFile?: string
}

const file = z.strictObject({
  url: z.string().optional(),
  key: z.string().optional(),
  admin_key: z.string().optional(),
})

/** The file for all projects of a user: XDG Base Directory Specification, checked 2026-12-01. */
export function userFile({ env }: Pick<Shell, 'env'>): string {
  return join(env['XDG_CONFIG_HOME'] || join(env['HOME'] ?? '', '.config'), 'pilotlight', 'config.json')
}

/** Flags count before the environment, that before the project's file, and that before the user's. Throws `CommandError`. */
export function settingsOf(shell: Shell, flags: SettingFlags): Settings {
  const { env } = shell
  const project = projectFile(shell.cwd)
  const files = [...(project === null ? [] : [project]), userFile(shell)].map(read)
  const first = (...values: (string | undefined)[]): string | null =>
    values.map((value) => value?.trim()).find((value) => value !== undefined && value !== '') ?? null
  const url = first(flags.url, env['PILOTLIGHT_URL'], ...files.map((one) => one.url))
  if (url === null)
    throw new CommandError(
      EXIT.notConfigured,
      'No deployment is named. Run pilotlight init, set PILOTLIGHT_URL, or give --url.',
    )
  if (!/^https?:\/\/[^\s/]+/.test(url))
    throw new CommandError(EXIT.usage, 'The URL of the deployment must begin with https:// or http://.')
  const given = flags.keyFile === undefined ? undefined : keyIn(flags.keyFile)
  return {
    url: url.replace(/\/+$/, ''),
    key: first(given, env['PILOTLIGHT_KEY'], ...files.map((one) => one.key)),
    adminKey: first(given, env['PILOTLIGHT_ADMIN_KEY'], ...files.map((one) => one.admin_key)),
  }
}

function keyIn(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw new CommandError(EXIT.usage, `The key cannot be read from ${path}. Check the path after --key-file.`)
  }
}

/** The nearest project file, from a folder up. */
export function projectFile(cwd: string): string | null {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const path = join(folder, PROJECT_FILE)
    if (exists(path)) return path
    if (dirname(folder) === folder) return null
  }
}

function exists(path: string): boolean {
  try {
    readFileSync(path)
    return true
  } catch {
    return false
  }
}

function read(path: string): z.output<typeof file> {
  if (!exists(path)) return {}
  try {
    return file.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    throw new CommandError(
      EXIT.notConfigured,
      `${path} is not what is expected: { "url": "https://…", "key": "plk_…", "admin_key": "…" }, each of them optional.`,
    )
  }
}
