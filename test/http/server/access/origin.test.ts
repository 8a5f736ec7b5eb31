import { describe, expect, it } from 'vitest'
import { refusedOrigin } from '../../../../src/http/server/access/origin.ts'

const OWN = 'https://pilotlight.example'

describe('the origin of a WebSocket', () => {
  it.each([
    ['its own', OWN, ''],
    ['its own in another spelling', 'HTTPS://Pilotlight.Example:443', ''],
    ['a listed one', 'https://app.example', 'https://board.example, https://app.example'],
    ['a listed one that ends in a slash', 'https://app.example', 'https://app.example/'],
    ['a listed port', 'http://localhost:5173', 'http://localhost:5173'],
  ])('is allowed: %s', (_, origin, list) => {
    expect(refusedOrigin(origin, OWN, list)).toBeNull()
  })

  it.each([
    ['another host', 'https://app.example', ''],
    ['another scheme', 'http://pilotlight.example', ''],
    ['another port', 'https://pilotlight.example:8443', ''],
    ['a host that ends as its own', 'https://evil-pilotlight.example', ''],
    ['a host below its own', 'https://a.pilotlight.example', ''],
    ['an opaque one', 'null', 'null'],
    ['none', '', ''],
    ['one with a path', `${OWN}/x`, ''],
    ['one that is listed without a scheme', 'https://app.example', 'app.example'],
    ['one that a star would allow', 'https://app.example', '*'],
  ])('is refused: %s', (_, origin, list) => {
    expect(refusedOrigin(origin, OWN, list)).toContain('WEBSOCKET_ORIGINS')
  })

  it('is refused with a word about an entry of the list that is no origin', () => {
    const why = refusedOrigin('https://app.example', OWN, 'https://board.example,app.example')
    expect(why).toContain('entry 2 is not an origin')
  })
})
