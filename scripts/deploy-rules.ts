/** What must never reach a deployment, and what a deployment needs, read from the configuration. */
import { developmentKeys } from './start/keys.ts'

/** As much of wrangler's configuration as is looked at. */
export interface Configuration {
  name?: string | undefined
  vars: Record<string, unknown>
  queues: {
    producers?: { queue: string }[] | undefined
    consumers?: { queue: string; dead_letter_queue?: string | undefined }[] | undefined
  }
}

/** Variables that `npm start` and the tests inject, and nobody else may. */
const developmentVars = [
  'DEV_ACCOUNT_KEY',
  'LAB_URL',
  'LAB_PROVIDERS',
  'TOOL_ORIGINS',
  'CLOCK_REAL_ANCHOR_AT',
  'CLOCK_VIRTUAL_ANCHOR_AT',
  'CLOCK_RATE',
]

/** Reasons not to deploy; each names the variable, never its value. */
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

/** True of text, such as a bundle, that carries a key which everybody knows. */
export function holdsDevelopmentKey(text: string): boolean {
  return Object.values(developmentKeys).some((key) => new RegExp(`\\b${key}\\b(?!-)`).test(text))
}

/** Every queue that has to exist before a deployment: an account begins without any. */
export function queuesOf({ queues }: Configuration): string[] {
  const consumers = queues.consumers ?? []
  const names = [
    ...(queues.producers ?? []).map(({ queue }) => queue),
    ...consumers.flatMap(({ queue, dead_letter_queue: dead }) => (dead === undefined ? [queue] : [queue, dead])),
  ]
  return [...new Set(names)]
}
