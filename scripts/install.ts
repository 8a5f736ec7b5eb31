/** Packages of a folder with a lockfile of its own: clients of others that tests, scripts and benches run and the product never loads. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run } from './step.ts'

/** Installs exactly what the lockfile of a folder names, if that is not there yet. Throws with what npm said. */
export async function install(folder: string): Promise<void> {
  const modules = join(root, folder, 'node_modules')
  const stamp = join(modules, '.pilotlight-lock')
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, folder, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  rmSync(stamp, { force: true })
  // No package of others runs a script of its own here.
  const args = ['ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund']
  const { code, output } = await run('npm', args)
  if (code !== 0) throw new Error(`npm ci in ${folder} ended with ${code}; it needs the npm registry once.\n${output}`)
  writeFileSync(stamp, wanted)
}
