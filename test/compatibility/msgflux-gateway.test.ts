import { describe, expect, test } from 'vitest'
import { gatewayBody } from '../../src/contract/model-pool.ts'
import { parseWith } from '../../src/contract/issues.ts'
import { barredUntil, routeOf } from '../../src/core/model/model-pool.ts'
import type { ModelPool, PoolModel } from '../../src/core/model/model-pool.ts'
import { refusal } from '../providers/prepared.ts'

/** msgflux's ModelGateway, line by line. Warming through one is in msgflux-gateway.workerd.test.ts. */

const day = (time: string): number => Date.parse(`2026-11-16T${time}:00Z`)
const read = (body: unknown) => parseWith(gatewayBody, body)
const field = (body: unknown): unknown => refusal(() => read(body)).detail?.['field']
const one = (name: string, more: object = {}) => ({ name, provider: 'anthropic', model: 'claude-opus-5', ...more })

function poolOf(names: string[], fallback = true, barred: Record<string, [number, number][]> = {}): ModelPool {
  const models = names.map((name): PoolModel => ({
    name,
    provider: 'anthropic',
    model: name,
    credential: null,
    description: null,
    constraints: (barred[name] ?? []).map(([fromMinute, toMinute]) => ({ fromMinute, toMinute })),
  }))
  return { name: 'pool', description: null, fallback, models, createdAt: 0, changedAt: 0 }
}
const names = (models: readonly { name: string }[]): string[] => models.map(({ name }) => name)

describe('an entry', () => {
  test('has a name, a model, a description and times at which it must not be used', () => {
    const { models, fallback } = read({
      models: [
        one('fast', {
          description: 'For short questions.',
          time_constraints: [['22:00', '06:00'], { from: '12:00', to: '13:00' }],
        }),
      ],
    })
    expect(fallback).toBeUndefined()
    expect(models[0]).toEqual({
      ...one('fast'),
      description: 'For short questions.',
      time_constraints: [
        { fromMinute: 1_320, toMinute: 360 },
        { fromMinute: 720, toMinute: 780 },
      ],
    })
  })

  test.each([
    [[['22:00']], 'models[0].time_constraints[0]'],
    [[['25:00', '06:00']], 'models[0].time_constraints[0][0]'],
    [[['10:00', '10:00']], 'models[0].time_constraints[0]'],
  ])('refuses a time that is none: %j', (time_constraints, where) => {
    expect(String(field({ models: [one('a', { time_constraints })] }))).toContain(where.slice(0, 29))
  })

  test('has one name of its own: duplicates are refused, and so is what is no string', () => {
    expect(field({ models: [one('a'), one('b'), one('a')] })).toBe('models[2].name')
    expect(field({ models: [{ ...one('a'), name: 7 }] })).toBe('models[0].name')
  })

  test('is a model that takes a prompt, and cannot be said to be another type', () => {
    expect(field({ models: [one('a', { type: 'text_embedding' })] })).toBe('models[0].type')
  })

  test('is needed: a pool of none is refused', () => expect(field({ models: [] })).toBe('models'))
})

describe('times at which a model must not be used', () => {
  const [night] = poolOf(['a'], true, { a: [[22 * 60, 6 * 60]] }).models

  test.each([
    ['21:59', null],
    ['22:00', '2026-11-17T06:00:00.000Z'],
    ['23:59', '2026-11-17T06:00:00.000Z'],
    ['00:00', '2026-11-16T06:00:00.000Z'],
    ['05:59', '2026-11-16T06:00:00.000Z'],
    ['06:00', null],
  ])('wrap midnight, in UTC: at %s', (time, until) => {
    const barred = barredUntil(night!, day(time))
    expect(barred === null ? null : new Date(barred).toISOString()).toBe(until)
  })

  test('count as one where they follow on each other', () => {
    const [model] = poolOf(['a'], true, {
      a: [
        [720, 780],
        [600, 720],
      ],
    }).models
    expect(barredUntil(model!, day('10:30'))).toBe(day('13:00'))
  })
})

describe('the order of traffic', () => {
  test('is the order of the pool, and any that fails is followed by the next', () => {
    expect(names(routeOf(poolOf(['a', 'b', 'c']), null, day('12:00')).reachable)).toEqual(['a', 'b', 'c'])
  })

  test('begins with the preferred model, then the rest', () => {
    expect(names(routeOf(poolOf(['a', 'b', 'c']), 'c', day('12:00')).reachable)).toEqual(['c', 'a', 'b'])
  })

  test('passes over who must not be used now, the preferred one too', () => {
    const route = routeOf(poolOf(['a', 'b'], true, { b: [[600, 900]] }), 'b', day('12:00'))
    expect([names(route.reachable), route.first?.name, names(route.barred.map(({ model }) => model))]).toEqual([
      ['a'],
      'b',
      ['b'],
    ])
  })

  test('is one model without fallback, and none where that one must not be used now', () => {
    const pool = poolOf(['a', 'b'], false, { b: [[600, 900]] })
    expect(names(routeOf(pool, null, day('12:00')).reachable)).toEqual(['a'])
    expect(names(routeOf(pool, null, day('12:00')).out)).toEqual(['b'])
    expect(names(routeOf(pool, 'b', day('12:00')).reachable)).toEqual([])
    expect(names(routeOf(pool, 'b', day('16:00')).reachable)).toEqual(['b'])
  })
})
