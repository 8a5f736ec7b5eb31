import { reset } from 'cloudflare:test'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { accounts, credentials, webhook } from './recorded/accounts.ts'
import { bots, life, turns } from './recorded/bots.ts'
import { deployment, methods, providers } from './recorded/deployment.ts'
import type { Hit } from './recorded/player.ts'
import { Player } from './recorded/player.ts'
import { caches, keeping, leases, prefixes, told } from './recorded/prefixes.ts'
import {
  budgets,
  failures,
  forms,
  gateways,
  idempotency,
  jobs,
  native,
  reports,
  required,
  wishes,
} from './recorded/warming.ts'
import type { Operation } from './recorded/wrong.ts'
import { bodies, fields, keys, limits, operationsOf, queries, strangers } from './recorded/wrong.ts'

/**
 * The answers of every route to a fixed script, byte for byte, but for what is drawn by chance and for the sentences `why`, `message`
 * and `advice`. The recordings are in `recorded/answers`; `npx vitest run --project recorded -u`
 * makes them anew.
 */

const DAY_MS = 86_400_000
/** A Monday later than the machine's clock, so that no alarm rings by itself. */
const BEGIN_AT = Date.UTC(2031, 0, 6, 12)

let document: Record<string, unknown> = {}
let operations: readonly Operation[] = []

const PARTS: [name: string, play: (player: Player) => Promise<void>][] = [
  ['deployment', deployment],
  ['accounts', accounts],
  ['credentials', credentials],
  ['webhook', webhook],
  ['providers', providers],
  ['methods', (player) => methods(player, document['paths'] as Record<string, Record<string, unknown>>)],
  ['keys', (player) => keys(player, operations)],
  ['strangers', (player) => strangers(player, operations)],
  ['bodies', (player) => bodies(player, operations)],
  ['queries', (player) => queries(player, operations)],
  ['fields', fields],
  ['limits', limits],
  ['native', native],
  ['forms', forms],
  ['wishes', wishes],
  ['required', required],
  ['failures', failures],
  ['idempotency', idempotency],
  ['jobs', jobs],
  ['gateways', gateways],
  ['budgets', budgets],
  ['prefixes', prefixes],
  ['told', told],
  ['leases', leases],
  ['keeping', keeping],
  ['caches', caches],
  ['bots', bots],
  ['turns', turns],
  ['life', life],
  ['reports', reports],
]

const hits: Hit[] = []
let day = 0

async function play(name: string, part: (player: Player) => Promise<void>): Promise<string> {
  day += 1
  const player = new Player(name, BEGIN_AT + day * DAY_MS)
  await player.open()
  await part(player)
  hits.push(...player.hits)
  return player.recording()
}

beforeAll(async () => {
  const player = new Player('document', BEGIN_AT)
  const { json } = await player.quiet('GET', '/openapi.json')
  document = json
  operations = operationsOf(json)
})

afterEach(async () => {
  vi.restoreAllMocks()
  vi.useRealTimers()
  await reset()
})

describe('the recorded script', () => {
  it.each(PARTS)('%s answers as before', async (name, part) => {
    const recording = await play(name, part)
    await expect(recording).toMatchFileSnapshot(`recorded/answers/${name}.txt`)
  })

  it('reaches every operation with each documented status, and without its key', () => {
    const patterns = operations.map((one) => ({
      ...one,
      pattern: new RegExp(`^${one.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
    }))
    const missing = patterns.flatMap(({ method, path, pattern, statuses, key }) => {
      const seen = new Set(
        hits.filter((hit) => hit.method === method && pattern.test(hit.path)).map(({ status }) => status),
      )
      const wanted = key === null ? statuses : [...statuses, 401, 403]
      return wanted.filter((status) => !seen.has(status)).map((status) => `${method} ${path} ${status}`)
    })
    expect(missing).toEqual([])
    expect(operations.length).toBeGreaterThan(60)
  })

  it('meets every kind of failure that a script can cause', () => {
    const { components } = document as { components: { responses: { Failure: { description: string } } } }
    const kinds = [...components.responses.Failure.description.matchAll(/(\w+): \d{3}/g)].map(([, kind]) => kind)
    const seen = new Set(hits.map(({ kind }) => kind))
    // A turn given up in the middle of a call, a defect, a deployment without its secrets, a provider that is silent for longer than a test may take.
    const others = ['cancelled', 'internal', 'not_configured', 'provider_timeout']
    expect(kinds.filter((kind) => !seen.has(kind ?? null)).toSorted()).toEqual(others)
  })
})
