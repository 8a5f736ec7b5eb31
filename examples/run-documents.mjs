// Runs the `sh` blocks of documents, in their order and in one shell per document, against a running `npm start`.
//
//   npx node examples/run-documents.mjs [document…]      default: README.md docs/api.md
//
// PILOTLIGHT_URL, LAB_URL, PILOTLIGHT_KEY and ADMIN_KEY give addresses and keys. Needs bash and curl. Ends with 1 when a block fails.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const documents = process.argv.length > 2 ? process.argv.slice(2) : ['README.md', 'docs/api.md']
// The blocks call `node`: this one, whatever else is installed.
const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter)

for (const document of documents) {
  const blocks = [...readFileSync(join(root, document), 'utf8').matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(
    ([, text]) => text,
  )
  const script = blocks
    .map((text, index) => `: block ${index + 1} of ${document}\nBLOCK=${index + 1}\n${text}`)
    .join('\n')
  const folder = mkdtempSync(join(tmpdir(), 'pilotlight-documents-'))
  const { status, stdout, stderr } = spawnSync(
    'bash',
    ['-c', `set -euo pipefail\ntrap 'echo "failed in block $BLOCK" >&2' ERR EXIT\nset -E\n${script}\ntrap - EXIT ERR`],
    { cwd: folder, encoding: 'utf8', env: { ...process.env, PATH }, timeout: 180_000 },
  )
  rmSync(folder, { recursive: true, force: true })
  if (process.env.SHOW) console.log(stdout)
  console.log(`${document}: ${blocks.length} blocks, ${status === 0 ? 'all ran' : 'not all ran'}`)
  if (status !== 0) {
    console.error(`${stdout.slice(-2000)}\n${stderr}`)
    process.exitCode = 1
  }
}
