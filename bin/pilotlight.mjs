#!/usr/bin/env node
// The program `pilotlight`, on the Node that the project pins: it runs the sources as they are, which an older Node cannot.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const pinned = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')

if (!existsSync(pinned)) {
  process.stderr.write('pilotlight is not installed yet: run npm ci in its folder, or npm start once.\n')
  process.exitCode = 2
} else {
  const { status, signal } = spawnSync(pinned, [join(root, 'src/cli/run.ts'), ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  process.exitCode = status ?? 128 + (constants.signals[signal] ?? 0)
}
