import { evictDurableObject } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { prefixAnswer, requestAnswer } from '../../../src/contract/prefix.ts'
import { anthropicBody, bindings, get, longText, pick, post, received, useLab } from '../support.ts'
import type { Answer } from '../support.ts'
import { auto, HOUR_MARKER, marked, question, unmarked, useCalendar } from './support.ts'

const world = useLab()
const { pass, use } = useCalendar(world)

const causes = (answer: Answer): string[] => (answer.json['advice'] as { cause: string }[]).map(({ cause }) => cause)
const markersTold = (answer: Answer): string[] =>
  (answer.json['advice'] as { cause: string; message: string }[])
    .filter(({ cause }) => cause === 'no_marker')
    .map(({ message }) => message)
const lastSent = (): string => String(received(world.lab).at(-1)?.body)

describe('a prefix whose retention no caller names', () => {
  it('is written at the planner’s retention, and every answer says the same', async () => {
    const body = unmarked()
    const [rendered, dry] = [await post('/render', auto(body)), await post('/warm', auto(body, { dry_run: true }))]
    const warmed = await post('/warm', auto(body))
    const sent = lastSent()
    expect(sent).toContain(HOUR_MARKER)
    expect(pick(rendered, 'probe', 'body')).toBe(sent)
    expect(pick(rendered, 'retention')).toBe('1h')
    expect(pick(dry, 'plan', 'retention')).toBe('1h')
    // The write as the provider counts it.
    expect(pick(warmed, 'receipt', 'provider_usage', 'cache_creation')).toMatchObject({ ephemeral_5m_input_tokens: 0 })
    expect(Number(pick(warmed, 'receipt', 'usage', 'cache_write_by_retention', '1h'))).toBeGreaterThan(1_000)
    expect(warmed.json['plan']).toMatchObject({ retention: '1h', retention_seconds: 3_600 })
    // The planner's choice is shown before the first write, and stays in the history.
    const chosen = /ritten at 1h, chosen by the planner: .* instead of \$[\d.e-]+ at 5m; set cache.retention/
    expect(pick(dry, 'plan', 'why')).toMatch(chosen)
    expect(pick(await post('/warm', auto(marked(body, '5m'), { dry_run: true })), 'plan', 'why')).not.toMatch(chosen)
    expect((await get(`/prefixes/${pick(warmed, 'id')}/history`)).text).toMatch(chosen)
    const advice = (warmed.json['advice'] as { cause: string; message: string }[]).find(
      ({ cause }) => cause === 'no_marker',
    )
    expect(advice?.message).toContain(HOUR_MARKER)
    const shown = requestAnswer.parse((await get(`/prefixes/${pick(warmed, 'id')}/request`)).json)
    expect(shown).toMatchObject({ retention: '1h', probe: { body: sent } })
    // A caller who takes the marker reads what was written.
    pass(20 * MINUTE_MS)
    await use(pick(warmed, 'id'), marked(body, '1h'))
    expect(prefixAnswer.parse((await get(`/prefixes/${pick(warmed, 'id')}`)).json)).toMatchObject({
      hits: 1,
      misses: 0,
    })
  })

  it('is treated alike for "auto" by name, and for a rendered body', async () => {
    const named = await post('/warm', auto(unmarked(), { cache: { retention: 'auto' } }))
    expect(pick(named, 'plan', 'retention')).toBe('1h')
    const form = { provider: 'anthropic', model: 'claude-opus-5', system: longText() }
    const neutral = await post('/warm', form)
    expect(pick(neutral, 'plan', 'retention')).toBe('1h')
    expect(pick(await get(`/prefixes/${pick(neutral, 'id')}/request`), 'body')).toContain(HOUR_MARKER)
  })

  it('has the model’s default without probes, with counted ones, and on request', async () => {
    for (const more of [
      { keep_warm: { plan: 'off' } },
      { keep_warm: { plan: { probes: 3 } } },
      { cache: { retention: 'default' } },
      { cache: { retention: 'short' } },
    ]) {
      const warmed = await post('/warm', auto(unmarked(), more))
      expect(pick(warmed, 'plan', 'retention')).toBe('5m')
    }
    const always = await post('/warm', auto(unmarked(), { keep_warm: { plan: 'always' } }))
    expect(pick(always, 'plan', 'retention')).toBe('1h')
  })

  it('follows the retention that real requests write, which ends the choice', async () => {
    const body = unmarked()
    const id = pick(await post('/warm', auto(body)), 'id')
    pass(2 * HOUR_MS)
    await use(id, marked(body, '5m'))
    const prefix = await get(`/prefixes/${id}`)
    expect(prefix.json['plan']).toMatchObject({ retention: '5m', retention_seconds: 300 })
    expect(pick(prefix, 'plan', 'why')).toContain('at the retention that real requests write')
    expect((await get(`/prefixes/${id}/history`)).text).toContain('real requests write it at 5m, not at 1h')
    expect(markersTold(prefix)).toEqual([expect.stringContaining('"cache_control":{"type":"ephemeral"}')])
    // The marker decides, and advice says what another retention would save.
    expect(causes(prefix)).toContain('retention_would_save')
    pass(2 * HOUR_MS)
    const again = await post(`/prefixes/${id}/warm`, {})
    expect(lastSent()).not.toContain('"ttl":"1h"')
    expect(Number(pick(again, 'receipt', 'usage', 'cache_write_by_retention', '5m'))).toBeGreaterThan(1_000)
  })

  it('gets a new choice once before a cold write, which survives an eviction', async () => {
    const body = unmarked()
    const id = pick(await post('/warm', auto(body)), 'id')
    // Once a day, by a caller who writes it as the plan says.
    for (let day = 0; day < 20; day++) {
      pass(DAY_MS)
      await use(id, marked(body, '1h'))
    }
    expect(pick(await get(`/prefixes/${id}`), 'plan', 'retention')).toBe('1h')
    pass(5 * HOUR_MS)
    const [warmed, meanwhile] = await Promise.all([post(`/prefixes/${id}/warm`, {}), post(`/prefixes/${id}/warm`, {})])
    for (const answer of [warmed, meanwhile]) expect(pick(answer, 'receipt', 'kind')).toBe('written')
    expect(lastSent()).toContain('"cache_control":{"type":"ephemeral"}')
    expect(pick(warmed, 'receipt', 'provider_usage', 'cache_creation')).toMatchObject({ ephemeral_1h_input_tokens: 0 })
    expect(pick(warmed, 'plan', 'retention')).toBe('5m')

    await evictDurableObject(bindings.REGISTRY.getByName('dev'))
    const seen = await get(`/prefixes/${id}`)
    expect(pick(seen, 'plan', 'retention')).toBe('5m')
    expect(causes(seen)[0]).toBe('retention_changed')
    expect(markersTold(seen)).toEqual([expect.stringContaining('"cache_control":{"type":"ephemeral"}')])
    expect(requestAnswer.parse((await get(`/prefixes/${id}/request`)).json)).toMatchObject({
      retention: '5m',
      probe: { body: lastSent() },
    })
    // A warm entry is read, which needs no choice.
    expect(pick(await post(`/prefixes/${id}/warm`, {}), 'receipt', 'kind')).toBe('full')
    const { data } = (await get(`/prefixes/${id}/history?type=decision`)).json as {
      data: { decision: string; why: string }[]
    }
    const chosen = data.filter(
      ({ decision, why }) => decision === 'retention' && !why.includes('chosen by the planner'),
    )
    expect(chosen).toHaveLength(1)
    expect(chosen[0]?.why).toContain('written at 5m instead of 1h from now on: judging by its last 19 gaps')
    // A second registration without a retention keeps the one in force.
    const known = await post('/warm', auto(body))
    expect(known.json).toMatchObject({ created: false, plan: { retention: '5m' } })
    expect(causes(known)).not.toContain('retention_kept')
    expect(pick(await post('/warm', auto(body, { dry_run: true })), 'plan', 'retention')).toBe('5m')
  })

  it('keeps the markers of a rendered body in step with a new choice', async () => {
    const form = { provider: 'anthropic', model: 'claude-opus-5', system: `Größe ${longText()}` }
    const id = pick(await post('/warm', form), 'id')
    const rendered = async () =>
      (await get(`/prefixes/${id}/request`)).json as {
        body: string
        prefix_ends_at: { byte: number }
        probe: { body: string }
        sha256: string
      }
    const before = await rendered()
    expect(before.body).toContain(HOUR_MARKER)
    for (let day = 0; day < 20; day++) {
      pass(DAY_MS)
      await use(id, { ...(JSON.parse(before.body) as object), max_tokens: 16, ...question })
    }
    pass(5 * HOUR_MS)
    expect(pick(await post(`/prefixes/${id}/warm`, {}), 'plan', 'retention')).toBe('5m')
    const after = await rendered()
    expect(after.body).toBe(before.body.replace('"ttl":"1h"', '"ttl":"5m"'))
    expect(after.sha256).not.toBe(before.sha256)
    // One character per character: the end has not moved, and the probe begins with the same bytes.
    expect(after.prefix_ends_at).toEqual(before.prefix_ends_at)
    expect(after.probe.body).toContain(after.body.slice(after.body.indexOf('"system"'), after.body.indexOf('}]')))
  })

  it('is judged by the registered retention where a caller requires the cache', async () => {
    const body = unmarked()
    const first = await post('/warm', auto(body, { cache: { mode: 'required' } }))
    expect(first.json).toMatchObject({ receipt: { kind: 'written' }, plan: { retention: '1h' } })
    const other = await post('/warm', auto(body, { cache: { mode: 'required', retention: '5m' } }))
    expect(other.status).toBe(409)
    const id = pick(first, 'id')
    for (let day = 0; day < 20; day++) {
      pass(DAY_MS)
      await use(id, marked(body, '1h'))
    }
    pass(5 * HOUR_MS)
    // Another caller does not change a required cache.
    expect((await post(`/prefixes/${id}/warm`, {})).json).toMatchObject({ plan: { retention: '1h' } })
  })
})

describe('a prefix whose retention its caller names', () => {
  it('stays at the marker of its body, with advice on what another would save', async () => {
    const warmed = await post('/warm', auto(anthropicBody()))
    expect(lastSent()).not.toContain('"ttl":"1h"')
    expect(pick(warmed, 'plan', 'retention')).toBe('5m')
    expect(causes(warmed)).toContain('retention_would_save')
    const { advice } = prefixAnswer.parse((await get(`/prefixes/${pick(warmed, 'id')}`)).json)
    const one = advice.find(({ cause }) => cause === 'retention_would_save')
    expect(one?.message).toMatch(
      /at retention 5m, .* about \$[\d.e-]+ at 1h\. Both figures come from gaps of similar traffic\. .*"ttl":"1h"/,
    )
    const best = await post('/warm', auto(marked(unmarked(), '1h')))
    expect(pick(best, 'plan', 'retention')).toBe('1h')
    expect(causes(best)).not.toContain('retention_would_save')
  })

  it('has advice where the marker of its body differs, with the marker to write', async () => {
    const body = unmarked()
    const warmed = await post('/warm', auto(marked(body, '5m'), { cache: { retention: '1h', mode: 'required' } }))
    expect(warmed.json).toMatchObject({ plan: { retention: '1h' }, receipt: { kind: 'written' } })
    const shown = requestAnswer.parse((await get(`/prefixes/${pick(warmed, 'id')}/request`)).json)
    const one = shown.advice.find(({ cause }) => cause === 'marker_says_otherwise')
    expect(one?.message).toContain('says 5m')
    expect(one?.message).toContain(HOUR_MARKER)
    expect(JSON.parse(shown.marked_body ?? '')).toMatchObject({ system: marked(body, '1h').system })
    for (const agreed of [{ cache: { retention: '5m' } }, { cache: { retention: 'short' } }, {}]) {
      expect(causes(await post('/warm', auto(marked(unmarked(), '5m'), agreed)))).not.toContain('marker_says_otherwise')
    }
  })

  it('belongs to the caller once they name the one in force', async () => {
    const body = unmarked()
    const id = pick(await post('/warm', auto(body)), 'id')
    const kept = await post('/warm', auto(marked(body, '5m')))
    expect(kept.json).toMatchObject({ id, plan: { retention: '1h' } })
    expect(causes(kept)[0]).toBe('retention_kept')
    await post('/warm', auto(marked(body, '1h')))
    for (let day = 0; day < 20; day++) {
      pass(DAY_MS)
      await use(id, marked(body, '1h'))
    }
    pass(5 * HOUR_MS)
    expect((await post(`/prefixes/${id}/warm`, {})).json).toMatchObject({ plan: { retention: '1h' } })
  })
})

it('a known prefix shows one marker, that of its own retention', async () => {
  const body = unmarked()
  await post('/warm', auto(body, { cache: { retention: '1h' } }))
  const again = await post('/warm', auto(body, { cache: { retention: '5m' } }))
  expect(again.json).toMatchObject({ created: false, plan: { retention: '1h' } })
  expect(causes(again)).toContain('retention_kept')
  expect(markersTold(again)).toEqual([expect.stringContaining(HOUR_MARKER)])
  // A retention that is not in force is not compared with the marker of the body.
  const stands = unmarked()
  await post('/warm', auto(stands, { cache: { retention: '5m' } }))
  const otherwise = await post('/warm', auto(marked(stands, '5m'), { cache: { retention: '1h' } }))
  expect(otherwise.json).toMatchObject({ created: false, plan: { retention: '5m' } })
  expect(causes(otherwise)).not.toContain('marker_says_otherwise')
})

describe('a crew', () => {
  it('takes the registered retention where it requires the cache and names none', async () => {
    const body = unmarked()
    const id = pick(await post('/warm', auto(body)), 'id')
    for (let day = 0; day < 20; day++) {
      pass(DAY_MS)
      await use(id, marked(body, '1h'))
    }
    pass(5 * HOUR_MS)
    expect(pick(await post(`/prefixes/${id}/warm`, {}), 'plan', 'retention')).toBe('5m')
    pass(5 * HOUR_MS)
    const agents = [{ provider: 'anthropic', cache: { mode: 'required' }, request: body }]
    const crew = await post('/preload', { agents, min_agents: 1 })
    expect(crew.json).toMatchObject({ agents: [{ status: 'succeeded', prefix_id: id, receipt: { kind: 'written' } }] })
    expect(pick(await get(`/prefixes/${id}`), 'plan', 'retention')).toBe('5m')
  })

  it('is written at one retention, head and agents, whatever their plans', async () => {
    const shared = longText()
    const agent = (role: string, plan: string) => ({
      provider: 'anthropic',
      keep_warm: { plan },
      request: {
        model: 'claude-opus-5',
        max_tokens: 9,
        system: [
          { type: 'text', text: shared },
          { type: 'text', text: `You are the ${role}.` },
        ],
        messages: [],
      },
    })
    const crew = await post('/preload', { agents: [agent('writer', 'auto'), agent('editor', 'off')] })
    expect(crew.status).toBe(200)
    const bodies = received(world.lab).map(({ body }) => String(body))
    expect(bodies).toHaveLength(3)
    for (const body of bodies) expect(body).toContain(HOUR_MARKER)
    expect(bodies.join()).not.toContain('"cache_control":{"type":"ephemeral"}')
  })
})
