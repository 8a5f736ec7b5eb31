/** Looks for damage in a kept state before anything starts: a runtime would fail later, in words that name no file. */
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { loadClock } from './clock.ts'

/** Damage: a file, and what is wrong with it. */
interface Damage {
  file: string
  what: string
}

/**
 * The first damage in a folder of states, as a sentence for the user; null: there is none. Nothing in the folder is changed: databases
 * are checked as copies, because opening one writes beside it.
 */
export function damageIn(folder: string): string | null {
  const damage = clockDamage(folder) ?? databaseDamage(folder) ?? missingDatabase(folder)
  if (damage === null) return null
  return `The kept state is damaged: ${damage.file} ${damage.what}. Nothing was started or changed. Put that file back from a copy, or move ${folder} away to start anew.`
}

const objects = (folder: string, name: string): string => join(folder, 'worker', 'v3', 'do', name)

function clockDamage(folder: string): Damage | null {
  const file = join(folder, 'clock.json')
  if (!existsSync(file))
    return objectsIn(objects(folder, '')).length === 0
      ? null
      : { file, what: 'is missing, and with it the time of the state' }
  try {
    loadClock(file)
    return null
  } catch {
    return { file, what: 'holds no time' }
  }
}

function databaseDamage(folder: string): Damage | null {
  for (const part of ['worker', 'lab'])
    for (const file of databases(join(folder, part))) {
      const what = problemOf(file)
      if (what !== null) return { file, what }
    }
  return null
}

/** The Directory knows the accounts, and each has a database. Whichever is missing, the others speak of what is not there. */
function missingDatabase(folder: string): Damage | null {
  const registries = objectsIn(objects(folder, 'pilotlight-Registry'))
  const place = objects(folder, 'pilotlight-Directory')
  const [directory] = objectsIn(place)
  if (directory === undefined)
    return registries.length === 0 ? null : { file: place, what: 'lacks the database of the accounts' }
  const accounts = copied(directory, (database) => {
    const known = database.prepare("SELECT name FROM sqlite_master WHERE name = 'account'").all().length > 0
    return known ? Number(database.prepare('SELECT count(*) AS n FROM account').get()?.['n']) : 0
  })
  if (accounts <= registries.length) return null
  return {
    file: objects(folder, 'pilotlight-Registry'),
    what: `has ${registries.length} databases for ${accounts} accounts`,
  }
}

/** Every database below a folder. */
function databases(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile() && file.name.endsWith('.sqlite'))
    .map((file) => join(file.parentPath, file.name))
    .toSorted()
}

/** The databases of objects; the others hold their alarms. */
function objectsIn(folder: string): string[] {
  return databases(folder).filter((file) => basename(file) !== 'metadata.sqlite')
}

/** What is wrong with a database; null: nothing. */
function problemOf(file: string): string | null {
  if (statSync(file).size === 0 && !existsSync(`${file}-wal`)) return 'is empty'
  try {
    const [row] = copied(file, (database) => database.prepare('PRAGMA quick_check(1)').all())
    return Object.values(row ?? {})[0] === 'ok' ? null : 'is not a whole database'
  } catch {
    return 'cannot be read as a database'
  }
}

/** Reads a copy of a database, with what its log holds. */
function copied<Result>(file: string, read: (database: DatabaseSync) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'pilotlight-check-'))
  try {
    const copy = join(folder, 'copy.sqlite')
    copyFileSync(file, copy)
    if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${copy}-wal`)
    const database = new DatabaseSync(copy)
    try {
      return read(database)
    } finally {
      database.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
