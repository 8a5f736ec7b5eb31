import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { VERSION } from '../../src/runtime/version.ts'

it('the version that answers carry is the package’s', () => {
  const { version } = JSON.parse(readFileSync(`${import.meta.dirname}/../../package.json`, 'utf8')) as {
    version: string
  }
  expect(VERSION).toBe(version)
})
