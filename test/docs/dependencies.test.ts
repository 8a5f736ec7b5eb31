import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { names, readText, root, section, tableRows } from './documents.ts'

const page = readText('docs/dependencies.md')
const manifest = JSON.parse(readText('package.json')) as Record<
  'dependencies' | 'devDependencies',
  Record<string, string>
>

describe.each([
  ['In the Worker', 'dependencies'],
  ['For development', 'devDependencies'],
] as const)('docs/dependencies.md, %s', (heading, kind) => {
  const rows = tableRows(section(page, heading))

  it('has a sentence for every dependency and for no other', () => {
    expect(rows.map(([name]) => names(name)[0]).toSorted()).toEqual(Object.keys(manifest[kind]).toSorted())
    expect(rows.filter(([, , why]) => !/^[A-Z`].{20,}\.$/.test(why ?? ''))).toEqual([])
  })

  it('states the license that the package states', () => {
    for (const [cell, license] of rows) {
      const file = join(root, 'node_modules', names(cell)[0] ?? '', 'package.json')
      const stated = (JSON.parse(readFileSync(file, 'utf8')) as { license: string }).license
      expect([cell, license]).toEqual([cell, stated.replace(/^\((.*)\)$/, '$1')])
    }
  })

  it('is pinned to exact versions', () => {
    for (const version of Object.values(manifest[kind])) expect(version).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
  })
})

interface Bill {
  bomFormat: string
  specVersion: string
  metadata: { component: { name: string; purl: string; type: string } }
  components: { name: string; version: string; hashes: { alg: string; content: string }[]; licenses: unknown[] }[]
}

describe('npm run sbom', () => {
  it('prints exactly the packages of the Worker, with their hashes, without the network', async () => {
    const offline = { ...process.env, npm_config_registry: 'http://127.0.0.1:9', npm_config_offline: 'true' }
    // The script itself: `npm run` would install first where node_modules is older than the lockfile, while tests run.
    const { stdout } = await promisify(execFile)(process.execPath, ['scripts/sbom.ts'], {
      cwd: root,
      env: offline,
      maxBuffer: 10_000_000,
    })
    const bill = JSON.parse(stdout) as Bill
    expect([bill.bomFormat, bill.specVersion]).toEqual(['CycloneDX', '1.5'])
    expect(bill.metadata.component).toMatchObject({
      name: 'pilotlight',
      type: 'application',
      purl: expect.stringMatching(/^pkg:npm\/pilotlight@/),
    })
    const { packages } = JSON.parse(readText('package-lock.json')) as {
      packages: Record<string, { version: string; integrity: string; dev?: boolean; devOptional?: boolean }>
    }
    const shipped = Object.entries(packages).filter(
      ([place, { dev, devOptional }]) => place !== '' && dev !== true && devOptional !== true,
    )
    expect(shipped.length).toBeGreaterThan(Object.keys(manifest.dependencies).length)
    const listed = (name: string, version: string, digest: string) => `${name} ${version} ${digest}`
    expect(
      bill.components.map(({ name, version, hashes }) => listed(name, version, hashes[0]?.content ?? '')).toSorted(),
    ).toEqual(
      shipped
        .map(([place, { version, integrity }]) =>
          listed(
            place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length),
            version,
            Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex'),
          ),
        )
        .toSorted(),
    )
    const names = new Set(bill.components.map(({ name }) => name))
    expect(Object.keys(manifest.dependencies).filter((name) => !names.has(name))).toEqual([])
    // A package of the Worker may bring another version of one that the tools use.
    const versions = new Set(bill.components.map(({ name, version }) => `${name} ${version}`))
    const ours = Object.entries(manifest.devDependencies).map(([name, version]) => `${name} ${version}`)
    expect(ours.filter((one) => versions.has(one))).toEqual([])
  }, 120_000)
})
