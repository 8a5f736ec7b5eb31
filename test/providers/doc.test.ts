import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { providersDoc } from '../../scripts/providers-doc.ts'

test('docs/providers.md matches the cards; node scripts/providers-doc.ts writes it', () => {
  expect(readFileSync(join(import.meta.dirname, '../../docs/providers.md'), 'utf8')).toBe(providersDoc())
})
