/** npm run build:package: writes the package's client, its assertion for tests and its live object to `dist/`, as JavaScript with types. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { root, step } from './step.ts'

for (const folder of [
  'client',
  'contract',
  'core',
  'diagnosis',
  'durable',
  'providers',
  'registration',
  'runtime',
  'usage',
])
  await rm(join(root, 'dist', folder), { recursive: true, force: true })
const ok =
  (await step('dist/client and dist/diagnosis from src', 'tsc', ['-p', 'tsconfig.client.json'])) &&
  (await step('dist/durable/live from src/durable/live', 'tsc', ['-p', 'tsconfig.live-object.json']))
console.log(ok ? 'Written.' : 'Not written.')
process.exitCode = ok ? 0 : 1
