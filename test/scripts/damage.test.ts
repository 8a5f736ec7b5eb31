import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, expect, it } from 'vitest'
import { damageIn } from '../../scripts/start/damage.ts'

const base = mkdtempSync(join(tmpdir(), 'damage-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))

const DIRECTORY = 'worker/v3/do/pilotlight-Directory/746235a2.sqlite'
const REGISTRY = 'worker/v3/do/pilotlight-Registry/41dca808.sqlite'

function database(file: string, ...statements: string[]): void {
  mkdirSync(join(file, '..'), { recursive: true })
  const made = new DatabaseSync(file)
  for (const statement of statements) made.exec(statement)
  made.close()
}

/** A state as a run leaves it, with one account. */
const whole = join(base, 'whole')
mkdirSync(whole)
writeFileSync(join(whole, 'clock.json'), '{"virtualAt":1796079152284,"rate":12,"stopped":true}')
database(join(whole, DIRECTORY), 'CREATE TABLE account (id TEXT PRIMARY KEY)', "INSERT INTO account VALUES ('dev')")
const rows = Array.from({ length: 400 }, (_, n) => `INSERT INTO prefix VALUES (${n}, '${'x'.repeat(200)}')`)
database(join(whole, REGISTRY), 'CREATE TABLE prefix (k INTEGER PRIMARY KEY, record TEXT)', ...rows)
database(join(whole, 'worker/v3/do/pilotlight-Registry/metadata.sqlite'), 'CREATE TABLE alarm (at INTEGER)')
database(join(whole, 'lab/v3/do/pilotlight-lab-LabState/c0a1bd43.sqlite'), 'CREATE TABLE entry (k INTEGER)')

/** Every file of a folder with its bytes. */
function bytesOf(folder: string): [string, string][] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name))
    .toSorted()
    .map((file) => [file, readFileSync(file).toString('base64')])
}

const inside = (file: string, change: (bytes: Buffer) => void): void => {
  const bytes = readFileSync(file)
  change(bytes)
  writeFileSync(file, bytes)
}

const kinds: [title: string, harm: (state: string) => void, file: string][] = [
  ['a clock that is no JSON', (state) => writeFileSync(join(state, 'clock.json'), '{"virtualAt":17960'), 'clock.json'],
  ['a clock of zeros', (state) => writeFileSync(join(state, 'clock.json'), Buffer.alloc(53)), 'clock.json'],
  ['an empty clock', (state) => writeFileSync(join(state, 'clock.json'), ''), 'clock.json'],
  ['a clock without a time', (state) => writeFileSync(join(state, 'clock.json'), '{"rate":12}'), 'clock.json'],
  ['a clock that is null', (state) => writeFileSync(join(state, 'clock.json'), 'null'), 'clock.json'],
  [
    'a clock beyond all dates',
    (state) => writeFileSync(join(state, 'clock.json'), '{"virtualAt":1e300,"rate":12}'),
    'clock.json',
  ],
  [
    'a clock without a rate',
    (state) => writeFileSync(join(state, 'clock.json'), '{"virtualAt":1,"rate":0}'),
    'clock.json',
  ],
  ['no clock', (state) => rmSync(join(state, 'clock.json')), 'clock.json'],
  ['a registry without its head', (state) => inside(join(state, REGISTRY), (bytes) => bytes.fill(0, 0, 100)), REGISTRY],
  [
    'a registry with pages overwritten',
    (state) => inside(join(state, REGISTRY), (bytes) => bytes.fill(0x5a, 4_096, 40_960)),
    REGISTRY,
  ],
  ['a registry that is cut off', (state) => truncateSync(join(state, REGISTRY), 9_000), REGISTRY],
  ['a registry that is empty', (state) => truncateSync(join(state, REGISTRY), 0), REGISTRY],
  ['no registry', (state) => rmSync(join(state, REGISTRY)), 'worker/v3/do/pilotlight-Registry'],
  ['no directory', (state) => rmSync(join(state, DIRECTORY)), 'worker/v3/do/pilotlight-Directory'],
  ['a directory that is text', (state) => writeFileSync(join(state, DIRECTORY), 'a note to myself'), DIRECTORY],
  [
    'a lab that is text',
    (state) => writeFileSync(join(state, 'lab/v3/do/pilotlight-lab-LabState/c0a1bd43.sqlite'), 'a note'),
    'lab/v3/do/pilotlight-lab-LabState/c0a1bd43.sqlite',
  ],
]

it('a whole state, an empty folder and one that a first start left early are not damaged', () => {
  expect(damageIn(whole)).toBeNull()
  const empty = join(base, 'empty')
  mkdirSync(join(empty, 'worker/v3/do'), { recursive: true })
  expect(damageIn(empty)).toBeNull()
  writeFileSync(join(empty, 'clock.json'), '{"virtualAt":1,"rate":12,"stopped":false}')
  expect(damageIn(empty)).toBeNull()
})

it.each(kinds)('%s is told in one sentence with the file, and nothing is touched', (title, harm, file) => {
  const state = join(base, title.replaceAll(' ', '-'))
  cpSync(whole, state, { recursive: true })
  harm(state)
  const before = bytesOf(state)
  const told = damageIn(state) ?? ''
  expect(told).toContain(`${join(state, file)} `)
  expect(told).toMatch(
    /^The kept state is damaged: \S+ .+\. Nothing was started or changed\. Put that file back from a copy, or move \S+ away to start anew\.$/,
  )
  expect(bytesOf(state)).toEqual(before)
})
