/** Rules for a deployment, checked on the configuration: what it needs, and what it must not contain. */
import { developmentKeys } from './start/keys.ts'

/** Checked part of wrangler's configuration. */
export interface Configuration {
  name?: string | undefined
  vars: Record<string, unknown>
  queues: {
    producers?: { queue: string }[] | undefined
    consumers?: { queue: string; dead_letter_queue?: string | undefined }[] | undefined
  }
}

/** Variables that only `npm start` and the tests may set. */
const developmentVars = [
  'DEV_ACCOUNT_KEY',
  'LAB_URL',
  'LAB_PROVIDERS',
  'TOOL_ORIGINS',
  'CLOCK_REAL_ANCHOR_AT',
  'CLOCK_VIRTUAL_ANCHOR_AT',
  'CLOCK_RATE',
]

/** Returns the reasons not to deploy. Each names the variable, never its value. */
export function configurationProblems({ vars }: Configuration, secrets: readonly string[]): string[] {
  return Object.entries(vars).flatMap(([name, value]) => {
    if (name === 'ENVIRONMENT' && value === 'development')
      return ['ENVIRONMENT is development: that is for npm start alone']
    if (developmentVars.includes(name)) return [`${name} is a variable of development`]
    if (secrets.includes(name))
      return [`${name} is a secret: set it with wrangler secret put, not in the configuration`]
    if (typeof value === 'string' && holdsDevelopmentKey(value))
      return [`${name} holds a development key, which everybody knows`]
    return []
  })
}

/** True if a text, such as a bundle, contains a publicly known key. */
export function holdsDevelopmentKey(text: string): boolean {
  return Object.values(developmentKeys).some((key) => new RegExp(`\\b${key}\\b(?!-)`).test(text))
}

/** Returns every queue that must exist before a deployment. A new account has none. */
export function queuesOf({ queues }: Configuration): string[] {
  const consumers = queues.consumers ?? []
  const names = [
    ...(queues.producers ?? []).map(({ queue }) => queue),
    ...consumers.flatMap(({ queue, dead_letter_queue: dead }) => (dead === undefined ? [queue] : [queue, dead])),
  ]
  return [...new Set(names)]
}
