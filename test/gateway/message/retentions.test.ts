import { expect, it } from 'vitest'
import { packedRetentions, retentionsAt, unpackedRetention } from '../../../src/gateway/message/retentions.ts'

it('retentions of a call come out of a message as they went in', () => {
  const ends = [{ sent: '1h' }, { sent: null }, { sent: '5m' }, { sent: '1h' }]
  const places = [4, 0, 7, 2]
  const { ttls } = packedRetentions(ends, places)
  expect(ttls).toEqual({ '1h': [4, 2], '5m': [7] })
  expect(places.map((place) => unpackedRetention(ttls, place))).toEqual(ends)
})

it('a call whose model states no lifetimes packs nothing, and one that carries none says so', () => {
  expect(packedRetentions([{}, {}], [0, 1])).toEqual({})
  expect(unpackedRetention(undefined, 0)).toEqual({})
  expect(packedRetentions([{ sent: null }], [0])).toEqual({ ttls: {} })
  expect(unpackedRetention({}, 0)).toEqual({ sent: null })
})

it('a wish beside the body counts before a marker in it', () => {
  expect(retentionsAt({ sent: '5m' }, '1h')).toEqual({ asked: '1h', sent: '5m' })
  expect(retentionsAt({ sent: '5m' }, undefined)).toEqual({ asked: '5m', sent: '5m' })
  expect(retentionsAt({ sent: null }, undefined)).toEqual({ sent: null })
  expect(retentionsAt(undefined, undefined)).toEqual({})
})
