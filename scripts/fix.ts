/** npm run fix: formats all files and applies the linter's fixes. */
import { step } from './step.ts'

const linted = await step('Lint', 'oxlint', ['--fix', '--deny-warnings'])
const formatted = await step('Format', 'oxfmt', [])
console.log(linted && formatted ? 'Fixed.' : 'Something is left to mend by hand.')
process.exitCode = linted && formatted ? 0 : 1
