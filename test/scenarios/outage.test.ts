import { beforeAll, describe, expect, it } from 'vitest'
import { DEADLINE_MARGIN_MS } from '../../src/core/time/schedule.ts'
import { BAD_PLATFORM, BAD_PROVIDER, badDay, START_AT } from './settings.ts'
import { World } from './world.ts'
import { HOUR_MS, MINUTE_MS } from '../../src/core/time/time.ts'

const SEED = 4
const outage = { fromAt: START_AT + 2 * HOUR_MS, toAt: START_AT + 2 * HOUR_MS + 4 * MINUTE_MS }

/**
 * Prefixes whose belief and truth differ. Left out are prefixes with an open call, and the last moments before a lapse: a probe
 * could no longer arrive safely then, so the entry already counts as lost.
 */
function wrong(world: World): { k: number; believed: string; warm: boolean }[] {
  const found = []
  for (let k = 1; k <= world.kinds.length; k++) {
    const view = world.registrar.viewByKey(k, world.now)
    const warm = world.provider.isWarm(k - 1, world.now)
    const believed = view.belief.state === 'warm' || view.belief.state === 'expiring'
    if (believed === warm) continue
    const givenUp = warm && !world.provider.isWarm(k - 1, world.now + DEADLINE_MARGIN_MS)
    if (!believed && (view.inFlight || givenUp)) continue
    found.push({ k, believed: view.belief.state, warm })
  }
  return found
}

describe('a provider that is unreachable for four minutes', () => {
  let world: World
  const coldAt: number[] = []
  const wrongs: ReturnType<typeof wrong> = []

  beforeAll(() => {
    world = new World({
      ...badDay(SEED),
      prefixes: 1_000,
      provider: { ...BAD_PROVIDER, outages: [outage] },
      platform: { ...BAD_PLATFORM, cronOut: null },
    })
    for (let at = outage.fromAt - 5 * MINUTE_MS; at <= outage.toAt + 20 * MINUTE_MS; at += 5_000) {
      world.runFor(at - START_AT)
      wrongs.push(...wrong(world))
      const cold = world.kinds.filter((_, prefix) => !world.provider.isWarm(prefix, at)).length
      if (cold > 0) coldAt.push(at)
    }
  }, 120_000)

  it('loses entries that could not be renewed, and none before', () => {
    expect(world.provider.lapses.length).toBeGreaterThan(100)
    for (const lapse of world.provider.lapses) {
      expect(lapse.expiredAt).toBeGreaterThan(outage.fromAt)
      expect(lapse.expiredAt).toBeLessThan(outage.toAt + MINUTE_MS)
    }
    expect(coldAt[0]).toBeGreaterThan(outage.fromAt)
  })

  it('never shows a cold prefix as warm, nor a warm one as cold', () => {
    expect(wrongs).toEqual([])
  })

  it('shows each lapse and each rewrite, with its reason', () => {
    for (const { prefix, expiredAt } of world.provider.lapses) {
      const history = world.registrar.history(world.registrar.viewByKey(prefix + 1, world.now).record.id, world.now)
      const since = history.filter((row) => row.at >= expiredAt - DEADLINE_MARGIN_MS)
      const lapse = since.find((row) => row.type === 'decision' && row.decision === 'lapse')
      const rewrite = since.find((row) => row.type === 'decision' && row.decision === 'rewrite')
      const written = since.find((row) => row.type === 'receipt' && row.kind === 'written')
      expect(lapse).toMatchObject({ why: expect.stringContaining('no probe succeeded before that') })
      expect(rewrite).toMatchObject({ why: expect.stringContaining('pays for one rewrite') })
      expect(written).toMatchObject({ purpose: 'write' })
      // The history shows the lapse before its rewrite, and the rewrite before its cost.
      expect(lapse?.at).toBeLessThanOrEqual(rewrite?.at ?? 0)
      expect(rewrite?.at).toBeLessThanOrEqual(written?.at ?? 0)
    }
  })

  it('has every prefix warm again within four minutes after the provider is back', () => {
    const last = coldAt.at(-1) ?? 0
    console.info(
      `seed ${SEED}: ${world.provider.lapses.length} lapses, the last healed ${Math.round((last - outage.toAt) / 1000)} s after the outage`,
    )
    expect(last - outage.toAt).toBeLessThan(4 * MINUTE_MS)
    // Each was paid once: no prefix lapsed a second time while the others were rewritten.
    expect(new Set(world.provider.lapses.map(({ prefix }) => prefix)).size).toBe(world.provider.lapses.length)
  })
})
