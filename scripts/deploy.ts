/**
 * npm run deploy [-- --env staging|production] [-- --dry-run]
 *
 * Checks the configuration, bundles, creates missing queues, deploys, and lists the secrets that are not set yet. A dry run sends
 * nothing and needs no account.
 */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { unstable_readConfig as readConfig } from 'wrangler'
import { cards } from '../src/providers/registry.ts'
import { MIN_SECRET_LENGTH, secretNames } from '../src/runtime/env.ts'
import { configurationProblems, holdsDevelopmentKey, queuesOf, type Configuration } from './deploy-rules.ts'
import { root, run, step } from './step.ts'

const required = ['ADMIN_KEY']
/** Secrets that are needed only if accounts have their own provider keys. */
const sealSecrets = ['KEY_ENCRYPTION_SECRET', 'KEY_ENCRYPTION_SECRET_PREVIOUS']
const bundleFolder = '.state/build'

const USAGE = 'Usage: npm run deploy [-- --env staging|production] [-- --dry-run]'
const HELP = `${USAGE}

Checks the configuration, bundles, creates missing queues, deploys, and lists the secrets that are not set yet.

  --env NAME   staging or production (production when absent)
  --dry-run    bundles, and names queues and secrets; sends nothing and needs no account
  --help       this text

npx wrangler rollback brings the version before back: docs/operations.md says what a rollback can read.`

process.exitCode = await deploy(process.argv.slice(2))

async function deploy(args: string[]): Promise<number> {
  const wishes = readWishes(args)
  if ('problem' in wishes) return end(`${wishes.problem}\n${USAGE}`, 2)
  if (wishes.help) return end(HELP, 0)
  const { environment, dryRun } = wishes
  const target = ['--env', environment === 'production' ? '' : environment] // production is the top of wrangler.toml

  const configuration: Configuration = readConfig({ config: join(root, 'wrangler.toml'), env: target[1] })
  const problems = configurationProblems(configuration, [...required, ...secretNames(), ...sealSecrets])
  if (problems.length > 0)
    return end(`Not deployed. In wrangler.toml:\n${problems.map((one) => `  ${one}`).join('\n')}`, 1)

  const bundle = ['deploy', '--dry-run', '--outdir', bundleFolder, ...target]
  if (!(await step(`Bundle for ${environment}`, 'wrangler', bundle))) return end('Not deployed: it does not bundle.', 1)
  const carriers = globSync('**/*.js', { cwd: join(root, bundleFolder) }).filter((file) =>
    holdsDevelopmentKey(readFileSync(join(root, bundleFolder, file), 'utf8')),
  )
  if (carriers.length > 0) return end(`Not deployed: the bundle carries a development key (${carriers.join(', ')}).`, 1)

  if (dryRun) {
    console.log(`Queues it needs: ${queuesOf(configuration).join(', ')}.`)
    console.log(
      `Secrets, by what needs them:\n${featureSecrets()
        .map(([name, what]) => `  ${name.padEnd(30)} ${what}`)
        .join('\n')}`,
    )
    return end('Dry run: all is well, and nothing was deployed.', 0)
  }

  const account = await run('wrangler', ['whoami'])
  if (account.code !== 0 || /not authenticated/i.test(account.output))
    return end(
      'Not deployed: sign in with `npx wrangler login`, or set CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID.',
      1,
    )
  for (const queue of queuesOf(configuration)) {
    if ((await run('wrangler', ['queues', 'info', queue])).code === 0) continue
    if (!(await step(`Queue ${queue}`, 'wrangler', ['queues', 'create', queue])))
      return end('Not deployed: a queue is missing.', 1)
  }
  if (!(await step('Deploy', 'wrangler', ['deploy', ...target], { show: true })))
    return end('Not deployed: see above.', 1)
  return sayWhatIsMissing(configuration.name ?? 'pilotlight', target)
}

async function sayWhatIsMissing(name: string, target: string[]): Promise<number> {
  const listed = await run('wrangler', ['secret', 'list', '--format', 'json', ...target])
  if (listed.code !== 0) return end(`Deployed ${name}; its secrets could not be listed.`, 1)
  const present = new Set((JSON.parse(listed.output) as { name: string }[]).map((secret) => secret.name))
  const environment = target[1] === '' ? '' : ` --env ${target[1]}`
  const put = (secret: string): string => `  npx wrangler secret put ${secret}${environment}`
  const absent = required.filter((secret) => !present.has(secret))
  const providers = secretNames().filter((secret) => !present.has(secret))
  if (providers.length > 0)
    console.log(`Providers without a key; set those that you use:\n${providers.map(put).join('\n')}`)
  if (absent.length === 0) return end(`Deployed ${name}.`, 0)
  console.log(
    `Still to be set (at least ${MIN_SECRET_LENGTH} characters, for example from \`openssl rand -hex 32\`):\n${absent.map(put).join('\n')}`,
  )
  return end(`Deployed ${name}, which answers 503 until ${absent.join(' and ')} is set.`, 0)
}

/** Every secret, with the features that need it. */
function featureSecrets(): [name: string, what: string][] {
  return [
    ['ADMIN_KEY', `everything (at least ${MIN_SECRET_LENGTH} characters)`],
    ['KEY_ENCRYPTION_SECRET', 'credentials of accounts, webhooks, tools of bots, sealed prompts'],
    ['KEY_ENCRYPTION_SECRET_PREVIOUS', 'only while the one above is being changed'],
    ...cards
      .map(({ secret }) => secret)
      .filter((name, index, all) => all.indexOf(name) === index)
      .map((name): [string, string] => [
        name,
        `calls to ${cards
          .filter(({ secret }) => secret === name)
          .map(({ id }) => id)
          .join(', ')} with the deployment's own key`,
      ]),
  ]
}

interface Wishes {
  environment: 'staging' | 'production'
  dryRun: boolean
  help: boolean
}

function readWishes(args: string[]): Wishes | { problem: string } {
  try {
    const { values } = parseArgs({
      args,
      options: { env: { type: 'string' }, 'dry-run': { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    })
    const environment = values.env ?? 'production'
    if (environment !== 'staging' && environment !== 'production') return { problem: '--env is staging or production.' }
    return { environment, dryRun: values['dry-run'] ?? false, help: values.help ?? false }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

function end(text: string, code: number): number {
  console.log(text)
  return code
}
