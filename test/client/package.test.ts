import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')

/** The package as it is published, built in a separate folder. */
let folder: string
let tarball: Uint8Array

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilotlight-client-'))
  const configs = ['tsconfig.json', 'tsconfig.client.json', 'tsconfig.live-object.json']
  for (const name of ['package.json', 'bin', ...configs, 'src', 'LICENSE', 'README.md'])
    await cp(join(root, name), join(folder, name), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const project of ['tsconfig.client.json', 'tsconfig.live-object.json'])
    await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project], { cwd: folder })
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

it('fails a test of an application by its assertion, in a plain Node', async () => {
  await writeFile(
    join(folder, 'stable.mjs'),
    `import { assertCacheStable } from './dist/diagnosis/stable.js'
const body = (time) => ({ model: 'claude-opus-5', max_tokens: 1, messages: [{ role: 'user', content: 'Hello.' }],
  system: [{ type: 'text', text: 'Time: ' + time, cache_control: { type: 'ephemeral' } }] })
assertCacheStable([body('10:41:07'), body('10:41:07')])
try { assertCacheStable([body('10:41:07'), body('10:42:07')]) } catch (error) { console.log(error.name, error.verdict) }
`,
  )
  const { stdout } = await run('node', [join(folder, 'stable.mjs')])
  expect(stdout).toBe('CacheUnstableError clock_in_prefix\n')
})

describe('the live object of the package, in the example outside of this repository,', () => {
  /** A folder that has installed the package, with the example as its program. */
  const installed = async (): Promise<string> => {
    const app = join(folder, 'app')
    await mkdir(join(app, 'node_modules/@cloudflare'), { recursive: true })
    await cp(join(root, 'examples/supervisor/worker.ts'), join(app, 'worker.ts'))
    for (const [name, target] of [
      ['pilotlight', folder],
      ['@cloudflare/workers-types', join(root, 'node_modules/@cloudflare/workers-types')],
    ] as const) {
      await rm(join(app, 'node_modules', name), { force: true })
      await symlink(target, join(app, 'node_modules', name))
    }
    return app
  }

  it('has types that its program is checked by', async () => {
    const app = await installed()
    const compilerOptions = {
      target: 'ES2024',
      lib: ['ESNext'],
      module: 'ESNext',
      moduleResolution: 'Bundler',
      strict: true,
      noEmit: true,
      types: ['@cloudflare/workers-types'],
    }
    await writeFile(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['worker.ts'] }))
    const check = () => run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], { cwd: app })
    await check()
    const text = await readFile(join(app, 'worker.ts'), 'utf8')
    await writeFile(join(app, 'worker.ts'), text.replace('failuresInRow: 0, advice', 'failuresInRow: "0", advice'))
    await expect(check()).rejects.toMatchObject({ stdout: expect.stringContaining('worker.ts') })
  }, 60_000)

  it('is bundled without the client, the API and its validation, and handles events in workerd', async () => {
    const app = await installed()
    const { build } = await import('esbuild')
    const built = await build({
      entryPoints: [join(app, 'worker.ts')],
      bundle: true,
      write: false,
      format: 'esm',
      external: ['cloudflare:*', 'node:*'],
    })
    const script = built.outputFiles[0]?.text ?? ''
    expect(script).not.toMatch(/zod|idempotency-key|cache_control/)
    expect(script.length).toBeLessThan(60_000)
    // As somebody has it who installed the package: without the alias of this repository.
    const config = await readFile(join(root, 'examples/supervisor/wrangler.toml'), 'utf8')
    await writeFile(join(app, 'wrangler.toml'), config.replace(/^# In this repository[\s\S]*?\n\n/m, ''))
    const { unstable_startWorker: startWorker } = await import('wrangler')
    const product = await startWorker({
      config: join(app, 'wrangler.toml'),
      bindings: { SNAPSHOT_SECRET: { type: 'plain_text', value: 'a secret of tests' } },
      dev: { server: { port: 0 }, inspector: false, persist: false, logLevel: 'error' },
    })
    try {
      const send = async (method: string, body?: unknown): Promise<Record<string, unknown>> => {
        const init = body === undefined ? { method } : { method, body: JSON.stringify(body) }
        return (await (await product.fetch('http://supervisor.test/shop', init)).json()) as Record<string, unknown>
      }
      await send('POST', { type: 'deploy.succeeded', data: { commit: 'a1' } })
      for (const commit of ['b2', 'b3']) await send('POST', { type: 'deploy.failed', data: { commit } })
      await vi.waitFor(async () => expect(await send('GET')).toMatchObject({ handled: 3, waiting: 0 }), 30_000)
      expect(await send('GET')).toMatchObject({ status: 'running', state: { good: 'a1', advice: 'roll back' } })
      expect(await send('PUT', { yes: true })).toMatchObject({ kind: 'conflict', detail: { reason: 'nothing_asked' } })
    } finally {
      await product.dispose()
    }
  }, 60_000)
})
