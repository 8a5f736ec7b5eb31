/**
 * npm run check: the gate. It checks generated files, types, lint and format, runs `npm test`, and then a short storm over the real runtime.
 * It goes on after a failure, so that one run shows all failures.
 */
import { step } from './step.ts'
import { typesArguments } from './types.ts'

const gate: [title: string, command: string, args: string[]][] = [
  ['Generated files unchanged: worker-configuration.d.ts', 'wrangler', [...typesArguments, '--check']],
  ['Lint', 'oxlint', ['--deny-warnings']],
  ['Format', 'oxfmt', ['--check']],
]

const failed: string[] = []
for (const [title, command, args] of gate) {
  if (!(await step(title, command, args))) failed.push(title)
}
if (!(await step('Bundle, types and tests', process.execPath, ['scripts/test.ts'], { show: true })))
  failed.push('Bundle, types and tests')
// A minute of storm: with its start, its kills and the calm behind it, less than five. Its timing is the machine's, and no two are the
// same: one that finds something is told and played again, and the gate shuts where it finds something again.
const storm = ['bench/main.ts', 'storm', '--minutes', '1', '--prefixes', '50']
const title = 'A storm over the real runtime'
const isCalm =
  (await step(title, process.execPath, storm, { show: true })) ||
  (await step(`${title}, once more`, process.execPath, storm, { show: true }))
if (!isCalm) failed.push(title)

console.log(
  failed.length === 0 ? 'The gate is open: everything passed.' : `The gate is shut. Failed: ${failed.join('; ')}.`,
)
process.exitCode = failed.length === 0 ? 0 : 1
