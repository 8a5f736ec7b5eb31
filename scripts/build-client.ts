/** npm run build:client: writes the package's client to `dist/`, as JavaScript with types. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { root, step } from './step.ts'

await rm(join(root, 'dist/client'), { recursive: true, force: true })
await rm(join(root, 'dist/contract'), { recursive: true, force: true })
const ok = await step('dist/client from src/client', 'tsc', ['-p', 'tsconfig.client.json'])
console.log(ok ? 'Written.' : 'Not written.')
process.exitCode = ok ? 0 : 1
