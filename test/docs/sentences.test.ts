import { expect, it } from 'vitest'
import { dialects } from '../../src/providers/registry.ts'
import { readText } from './documents.ts'

/** Sentences with a number or a list in them that the project decides elsewhere. */

const NUMBERS = ['none', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight']
const settings = readText('wrangler.toml')
const kinds = [...settings.matchAll(/^\[exports\.(\w+)\]$/gm)].map(([, name]) => name ?? '')
const queues = settings.split(/^\[env\./m)[0]?.match(/^\[\[queues\.consumers\]\]$/gm) ?? []

it.each(['docs/architecture.md', 'docs/storage.md'])('%s counts the kinds of Durable Objects', (path) => {
  const counted = /(\w+) kinds of Durable Objects?/.exec(readText(path))?.[1]
  expect(counted).toBe(NUMBERS[kinds.length])
})

it('docs/architecture.md counts the queues, and shows a row for each object and each queue', () => {
  const text = readText('docs/architecture.md')
  expect(/Durable Object and (\w+) queues/.exec(text)?.[1]).toBe(NUMBERS[queues.length])
  for (const kind of kinds) expect(text).toContain(`| \`${kind}\` |`)
  expect(text.match(/^\| queue `/gm)).toHaveLength(queues.length)
})

/** How the README names each wire format. */
const FORMATS: Record<string, RegExp> = {
  'anthropic-messages': /Anthropic Messages/,
  'openai-responses': /OpenAI Responses/,
  'openai-chat': /Chat Completions/,
  'gemini-content': /Gemini `generateContent`/,
  'bedrock-converse': /Bedrock Converse/,
}

it('README.md names every wire format', () => {
  const readme = readText('README.md')
  expect(Object.keys(FORMATS).toSorted()).toEqual(dialects.map(({ id }) => id).toSorted())
  for (const { id } of dialects) expect(readme).toMatch(FORMATS[id] ?? /^$/)
})

it('README.md promises what answers prove, and no knowledge at any moment', () => {
  const readme = readText('README.md').replaceAll(/\s+/g, ' ')
  expect(readme).not.toMatch(/at any moment/i)
  expect(readme).toContain('(warm, cold or not known)')
})
