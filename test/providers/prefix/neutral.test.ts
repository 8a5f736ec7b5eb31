import { expect, it } from 'vitest'
import { readFailure } from '../../../src/contract/failure.ts'
import { filterTools } from '../../../src/providers/prefix/neutral.ts'

const tools = ['search', 'read', 'write'].map((name) => ({ name, description: `${name}s` }))
const names = (filter: Parameters<typeof filterTools>[1]): string[] =>
  filterTools(tools, filter).map(({ name }) => name)

it.each([
  [{}, ['search', 'read', 'write']],
  [{ allow: ['write', 'search'] }, ['search', 'write']],
  [{ deny: ['write'] }, ['search', 'read']],
  [{ allow: ['read', 'write'], deny: ['write'] }, ['read']],
  [{ allow: [] }, []],
])('a filter %j sends %j, in the order of the tools', (filter, sent) => {
  expect(names(filter)).toEqual(sent)
})

it('refuses a name that no tool has, with its field', () => {
  for (const list of ['allow', 'deny']) {
    let failure = null
    try {
      names({ [list]: ['read', 'raed'] })
    } catch (thrown) {
      failure = readFailure(thrown)
    }
    expect(failure).toMatchObject({ kind: 'invalid_request', detail: { field: `tool_filter.${list}[1]` } })
  }
})
