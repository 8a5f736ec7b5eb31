/**
 * npm run -s sbom: prints what the Worker is made of, as a CycloneDX document, from package-lock.json alone.
 *
 * `npm sbom --omit dev` leaves out a package that a development tool names too (npm 11.19: `@opentelemetry/api`, a peer of vitest, though the
 * bundle contains it). So npm lists everything, and what the dependencies of package.json lead to is kept.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { root, run } from './step.ts'

interface Bill {
  metadata: { component: { 'bom-ref': string; name: string } }
  components: { 'bom-ref': string; name: string; scope?: string }[]
  dependencies: { ref: string; dependsOn: string[] }[]
}

const all = ['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application']
const { code, output } = await run('npm', all)
if (code !== 0) {
  console.error(output.trimEnd())
  console.error(`npm sbom ended with ${code}. It needs npm 10 or newer.`)
  process.exit(1)
}
const manifest = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8')) as {
  name: string
  dependencies: Record<string, string>
}
const bill = JSON.parse(output) as Bill
const { component } = bill.metadata
component.name = manifest.name // npm gives the name of the folder
const edges = new Map(bill.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]))
const direct = new Set(Object.entries(manifest.dependencies).map(([name, version]) => `${name}@${version}`))
// What is optional to a dependency, such as a socket for Node, is installed for a tool and is not bundled.
const optional = new Set(bill.components.filter(({ scope }) => scope === 'optional').map((one) => one['bom-ref']))
const kept = new Set<string>()
const follow = (ref: string): void => {
  if (kept.has(ref) || optional.has(ref)) return
  kept.add(ref)
  for (const next of edges.get(ref) ?? []) follow(next)
}
for (const ref of direct) follow(ref)
const components = bill.components.filter((one) => kept.has(one['bom-ref']))
const dependencies = bill.dependencies
  .filter(({ ref }) => kept.has(ref) || ref === component['bom-ref'])
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((next) => kept.has(next)) }))
console.log(JSON.stringify({ ...bill, components, dependencies }, null, 2))
