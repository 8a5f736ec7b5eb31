/** npm run types: writes worker-configuration.d.ts, the type of `env`, from wrangler.toml. */
import { step } from './step.ts'

/** Arguments of `wrangler types`. The check for an up-to-date file uses them too. */
export const typesArguments = ['types', 'worker-configuration.d.ts', '--include-runtime=false', '--strict-vars=false']

if (import.meta.main) {
  const ok = await step('worker-configuration.d.ts from wrangler.toml', 'wrangler', typesArguments)
  console.log(ok ? 'Written.' : 'Not written.')
  process.exitCode = ok ? 0 : 1
}
