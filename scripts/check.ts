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
// Two minutes of storm: with its start, its kills and the calm behind it, less than five.
const storm = ['bench/main.ts', 'storm', '--minutes', '2', '--prefixes', '60']
if (!(await step('A storm over the real runtime', process.execPath, storm, { show: true })))
  failed.push('A storm over the real runtime')

console.log(
  failed.length === 0 ? 'The gate is open: everything passed.' : `The gate is shut. Failed: ${failed.join('; ')}.`,
)
process.exitCode = failed.length === 0 ? 0 : 1
