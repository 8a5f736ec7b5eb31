import { expect, it } from 'vitest'
import { botResponse } from '../../src/contract/bot-responses.ts'
import { names, readText, section, tableRows } from './documents.ts'

it('docs/api.md names every kind of response of a bot, with its members', () => {
  const rows = tableRows(section(readText('docs/api.md'), 'GET /bots/{id}/responses'))
  const written = rows.map(([type, members]) => [names(type)[0], names(members).toSorted()])
  const known = botResponse.options.map(({ shape }) => {
    const { type, ...members } = shape
    return [type.value, Object.keys(members).toSorted()]
  })
  expect(written).toEqual(known)
})
