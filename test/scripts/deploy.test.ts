import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { unstable_readConfig as readConfig } from 'wrangler'
import { MIN_SECRET_LENGTH } from '../../src/runtime/env.ts'
import { configurationProblems, holdsDevelopmentKey, queuesOf } from '../../scripts/deploy-rules.ts'

const secrets = ['ADMIN_KEY', 'OPENAI_API_KEY']
const problems = (vars: Record<string, unknown>): string[] => configurationProblems({ vars, queues: {} }, secrets)

describe('what never deploys', () => {
  it.each([
    ['ENVIRONMENT', 'development'],
    ['DEV_ACCOUNT_KEY', 'whatever'],
    ['LAB_URL', 'http://127.0.0.1:8788'],
    ['CLOCK_RATE', '12'],
    ['ADMIN_KEY', 'a-long-and-secret-key-of-our-own'],
    ['OPENAI_API_KEY', 'sk-secret'],
    ['GREETING', 'use pilotlight-dev to sign in'],
  ])('%s=%s among the variables', (name, value) => {
    const [problem] = problems({ [name]: value })
    expect(problem).toContain(name)
    if (name !== 'ENVIRONMENT') expect(problem).not.toContain(value)
  })

  it('leaves other variables alone', () => {
    expect(problems({ ENVIRONMENT: 'production', REGION: 'eu', LIMITS: { a: 1 } })).toEqual([])
  })

  it('a bundle that carries a key everybody knows', () => {
    expect(holdsDevelopmentKey('const key = "pilotlight-admin"')).toBe(true)
    expect(holdsDevelopmentKey('const name = "pilotlight"; const file = "pilotlight-dev-notes"')).toBe(false)
  })
})

it('creates every queue that is produced to, consumed from, or used for dead letters, once', () => {
  const queues = {
    producers: [{ queue: 'probes' }],
    consumers: [{ queue: 'probes', dead_letter_queue: 'dead' }, { queue: 'dead' }],
  }
  expect(queuesOf({ vars: {}, queues })).toEqual(['probes', 'dead'])
})

const root = resolve(import.meta.dirname, '../..')

async function deploy(...args: string[]): Promise<{ code: number; out: string }> {
  const call = promisify(execFile)(process.execPath, [resolve(root, 'scripts/deploy.ts'), ...args], {
    cwd: root,
    env: { ...process.env, PATH: `${resolve(root, 'node_modules/.bin')}:${process.env['PATH']}` },
  })
  return call.then(
    ({ stdout }) => ({ code: 0, out: stdout.trim() }),
    (error: { code: number; stdout: string }) => ({ code: error.code, out: error.stdout.trim() }),
  )
}

describe('npm run deploy', () => {
  it.each(['staging', 'production'])(
    'bundles for %s and says what it needs, without an account',
    { timeout: 60_000 },
    async (environment) => {
      const { code, out } = await deploy('--env', environment, '--dry-run')
      expect(out).toContain(environment === 'staging' ? 'pilotlight-staging-probes-dead' : 'pilotlight-probes-dead')
      expect(out).toMatch(/ADMIN_KEY[\s\S]*\nDry run: all is well, and nothing was deployed\.$/)
      expect(out).toMatch(
        /\n {2}KEY_ENCRYPTION_SECRET +credentials of accounts, webhooks, tools of bots, sealed prompts\n/,
      )
      expect(out).toMatch(/\n {2}OPENAI_API_KEY +calls to openai, openai-chat with the deployment's own key\n/)
      expect(code).toBe(0)
    },
  )

  it('--help says how, and deploys nothing', async () => {
    const { code, out } = await deploy('--help')
    expect([code, out]).toEqual([0, expect.stringMatching(/^Usage: npm run deploy[\s\S]*--dry-run[\s\S]*rollback/)])
  })

  it.each([['--env', 'test'], ['--var', 'ADMIN_KEY:x'], ['now']])('refuses %s %s', async (...args) => {
    const { code, out } = await deploy(...args)
    expect(code).toBe(2)
    expect(out).toContain('Usage: npm run deploy')
  })
})

it('package.json describes every binding and every required secret for the deploy button', () => {
  const { cloudflare } = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8')) as {
    cloudflare: { bindings: Record<string, { description: string }> }
  }
  const { durable_objects, queues } = readConfig({ config: resolve(root, 'wrangler.toml') }) as {
    durable_objects: { bindings: { name: string }[] }
    queues: { producers: { binding: string }[] }
  }
  const bound = [...durable_objects.bindings.map(({ name }) => name), ...queues.producers.map(({ binding }) => binding)]
  expect(Object.keys(cloudflare.bindings).toSorted()).toEqual(
    [...bound, 'ADMIN_KEY', 'KEY_ENCRYPTION_SECRET'].toSorted(),
  )
  for (const { description } of Object.values(cloudflare.bindings)) expect(description.length).toBeGreaterThan(20)
  expect(cloudflare.bindings['ADMIN_KEY']?.description).toContain(`at least ${MIN_SECRET_LENGTH} characters`)
})
