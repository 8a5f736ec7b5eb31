import { describe, expect, it } from 'vitest'
import { waitingTests, waits } from '../../../scripts/test/waits.ts'

describe('a test file waits', () => {
  it.each([
    'await vi.waitFor(async () => expect(await state()).toBe("done"))',
    'await vi.waitUntil(() => left() === 0, { timeout: 10_000 })',
    'await expect.poll(() => received(lab)).toHaveLength(2)',
    'await pause(500)',
    "const crowd = ask(id, { wait: '30s' })",
    'await get(`/jobs/${id}?wait=30s`)',
  ])('that says %s', (text) => {
    expect(waits(text)).toBe(true)
  })

  it('that imports a file beside the tests which waits, however far', () => {
    const texts = new Map([
      ['test/http/support.ts', 'export const ended = () => vi.waitFor(look)'],
      ['test/http/bots.ts', "export { ended } from './support.ts'"],
      ['test/http/a.workerd.test.ts', "import { ended } from './bots.ts'"],
      ['test/http/b.workerd.test.ts', "import { get } from '../calm.ts'"],
      ['test/calm.ts', 'export const get = () => fetch(address)'],
      ['test/core/c.test.ts', 'it.poll = 1 // setTimeout(wait)'],
    ])
    expect(waitingTests(texts)).toEqual(['test/http/a.workerd.test.ts'])
  })
})
