import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, expect, it } from 'vitest'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')

/** The package as it is published, built in a separate folder. */
let folder: string
let tarball: Uint8Array

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilotlight-client-'))
  for (const name of ['package.json', 'bin', 'tsconfig.json', 'tsconfig.client.json', 'src', 'LICENSE', 'README.md'])
    await cp(join(root, name), join(folder, name), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.client.json'], {
    cwd: folder,
  })
  const packed = await run('npm', ['pack', '--json', '--ignore-scripts'], { cwd: folder })
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }]
  tarball = await readFile(join(folder, filename))
}, 120_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

it('publint finds nothing to mend', async () => {
  const { messages, pkg } = await publint({ pkgDir: folder, pack: false, strict: true })
  expect(messages.map((message) => formatMessage(message, pkg ?? {}))).toEqual([])
})

it('its types are right for those who import it as an ES module', async () => {
  const result = await checkPackage(createPackageFromTarballData(tarball))
  if (result.types === false) throw new Error('the package has no types')
  // The `exports` offer an ES module alone: no require(), and no resolution as before Node 12.
  const offered = result.problems.filter(
    (problem) => !('resolutionKind' in problem && ['node10', 'node16-cjs'].includes(problem.resolutionKind)),
  )
  expect(offered).toEqual([])
})

it('leaves out what is not imported', async () => {
  const { build } = await import('esbuild')
  await writeFile(
    join(folder, 'app.js'),
    "import { connect, warmup } from './dist/client/index.js'\nconsole.log(connect, warmup)\n",
  )
  const built = await build({
    entryPoints: [join(folder, 'app.js')],
    bundle: true,
    write: false,
    format: 'esm',
    treeShaking: true,
  })
  const text = built.outputFiles[0]?.text ?? ''
  expect(text).toContain('idempotency-key')
  expect(text).not.toMatch(/overSocket|usageIn|class Reports|zod/)
  expect(text.length).toBeLessThan(12_000)
})
