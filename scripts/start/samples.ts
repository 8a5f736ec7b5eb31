/** Three sample prefixes of an invented shop, with realistic forms and sizes. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Api, Prefix } from './api.ts'

export interface Sample {
  name: string
  provider: 'anthropic' | 'openai' | 'gemini'
  /** Body of POST /warm. */
  registration: Record<string, unknown>
}

/** Samples use the short retentions, so that several renewals can be watched. */
const shapes: { provider: Sample['provider']; envelope: Record<string, unknown> }[] = [
  { provider: 'anthropic', envelope: { cache: { retention: '5m' } } },
  { provider: 'openai', envelope: { cache: { retention: '30m' } } },
  { provider: 'gemini', envelope: { model: 'gemini-2.5-flash' } }, // its wire format has the model in the address
]

export function loadSamples(): Sample[] {
  return shapes.map(({ provider, envelope }) => {
    const file = join(import.meta.dirname, '../samples', `${provider}.json`)
    const name = `sample-${provider}`
    return {
      name,
      provider,
      registration: {
        name,
        provider,
        request: JSON.parse(readFileSync(file, 'utf8')) as unknown,
        ...envelope,
        keep_warm: { plan: 'always', budget_usd_per_day: 1 },
      },
    }
  })
}

/** Returns the samples that no earlier start has registered. */
export function missing(samples: Sample[], registered: Prefix[]): Sample[] {
  return samples.filter(({ name }) => !registered.some((prefix) => prefix.name === name))
}

export async function register(api: Api, sample: Sample): Promise<string> {
  const warmed = await api.warm(sample.registration)
  const state = warmed.warmth?.state ?? 'unknown'
  const kind = warmed.receipt?.kind ?? 'no receipt yet'
  // Some providers report cache reads but no writes.
  const told =
    kind === 'unknown' ? 'sent; its provider does not say what it wrote, the next read tells' : `${kind}, ${state}`
  return `${sample.name}: ${warmed.created ? 'registered' : 'known already'}, ${told}`
}

/** Returns the cost of keeping a sample warm, by the API's dry run, which sends nothing to the provider. */
export async function quote(api: Api, sample: Sample): Promise<string> {
  const answer = await api.warm({ ...sample.registration, dry_run: true })
  const perDay = money(answer.plan?.cost_usd_per_day ?? null)
  const first = money(answer.plan?.first_write_cost_usd ?? null)
  return `${sample.name}: ${first} for the first write, then ${perDay} a day (at most $1.00: its budget)`
}

function money(value: number | null): string {
  return value === null ? 'an unknown price' : `$${value.toFixed(4)}`
}
