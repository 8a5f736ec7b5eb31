import { expect, it } from 'vitest'
import * as client from '../../src/client/index.ts'
import * as testing from '../../src/diagnosis/stable.ts'
import { readText } from './documents.ts'

it.each(['docs/client.md', 'docs/bots.md'])('%s names nothing that the client does not export', (path) => {
  const text = readText(path)
  const imported = [...text.matchAll(/^import \{ (.*) \} from '(?:pilotlight|\.\/src)\/client/gm)].flatMap(
    ([, names]) => (names ?? '').split(', '),
  )
  const errors = [...text.matchAll(/`([A-Z]\w+Error)`/g)].map(([, name]) => name ?? '')
  expect(imported.length).toBeGreaterThan(0)
  expect(errors.length).toBeGreaterThan(0)
  const known = (name: string): boolean => [client, testing, globalThis].some((one) => Object.hasOwn(one, name))
  expect([...imported, ...errors].filter((name) => !known(name))).toEqual([])
})
