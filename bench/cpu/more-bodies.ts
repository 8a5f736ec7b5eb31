import { claude, filledWith, gemini, gpt, keyed, MB, numbered, tool, WORDS } from './parts.ts'
import type { HostileBody } from './parts.ts'

/** Values that a body may hold just so. */
const MANY = 79_000
/** Members that it may hold just so: each has a key, and a value. */
const MEMBERS = 39_000

const content = (block: unknown) => claude({ messages: [{ role: 'user', content: [block] }] })

/** Bodies of `POST /warm` that no limit refuses before they are computed with. */
export function nearLimits(): Record<string, { provider: string; request: unknown; more?: Record<string, unknown> }> {
  return {
    '39,000 keys in a tool': {
      provider: 'anthropic',
      request: claude({ tools: tool({ type: 'object', examples: keyed(MEMBERS, 1) }) }),
    },
    '39,000 keys of 30 characters in a tool': {
      provider: 'anthropic',
      request: claude({ tools: tool({ type: 'object', examples: keyed(MEMBERS, 1, 'a-long-name-of-a-member-') }) }),
    },
    '39,000 keys at the top': { provider: 'anthropic', request: claude(keyed(MEMBERS, 1)) },
    '79,000 numbers in a message': {
      provider: 'anthropic',
      request: content({ type: 'tool_use', id: 'a', name: 'weigh', input: numbered(MANY, (n) => n / 7) }),
    },
    '79,000 numbers in a schema': {
      provider: 'openai',
      request: gpt({ tools: [{ type: 'function', name: 'weigh', parameters: { enum: numbered(MANY, (n) => n) } }] }),
    },
    '79,000 numbers in a gemini schema': {
      provider: 'gemini',
      request: gemini({
        tools: [{ functionDeclarations: [{ name: 'weigh', parameters: { enum: numbered(MANY, String) } }] }],
      }),
    },
    '11,000 tools': {
      provider: 'anthropic',
      request: claude({ tools: numbered(11_000, (n) => ({ name: `t${n}`, input_schema: { type: 'object' } })) }),
    },
    '11,000 tools of openai': {
      provider: 'openai',
      request: gpt({ tools: numbered(11_000, (n) => ({ type: 'function', name: `t${n}`, parameters: {} })) }),
    },
    '15,500 messages': {
      provider: 'anthropic',
      request: claude({
        messages: numbered(15_500, (n) => ({ role: n % 2 === 0 ? 'user' : 'assistant', content: 'ja' })),
      }),
    },
    '15,500 messages of openai': {
      provider: 'openai',
      request: gpt({ input: numbered(15_500, (n) => ({ role: n % 2 === 0 ? 'user' : 'assistant', content: 'ja' })) }),
    },
    '9,500 turns of gemini': {
      provider: 'gemini',
      request: gemini({
        contents: numbered(9_500, (n) => ({ role: n % 2 === 0 ? 'user' : 'model', parts: [{ text: 'ja' }] })),
      }),
    },
    '15,500 short texts': {
      provider: 'anthropic',
      request: claude({
        messages: [{ role: 'user', content: numbered(15_500, () => ({ type: 'text', text: 'ja' })) }],
      }),
    },
    '8,700 system blocks with markers': {
      provider: 'anthropic',
      request: claude({
        system: numbered(8_700, () => ({ type: 'text', text: 'ja', cache_control: { type: 'ephemeral' } })),
      }),
    },
    '25,000 small schemas': {
      provider: 'anthropic',
      request: claude({ tools: tool({ anyOf: numbered(25_000, () => ({ type: 'string' })) }) }),
    },
    '90,000 lists in each other': { provider: 'anthropic', request: claude({ metadata: 'LISTS' }) },
    '90,000 objects in each other': { provider: 'anthropic', request: claude({ metadata: 'OBJECTS' }) },
    '3.9 MB of one short word a line, of openai': {
      provider: 'openai',
      request: gpt({ input: [{ role: 'developer', content: numbered(400_000, (n) => `w${n}`).join(' ') }] }),
    },
    '3.9 MB of letters of no language, of openai': {
      provider: 'openai',
      request: gpt({ input: [{ role: 'developer', content: noise(3.9 * MB) }] }),
    },
    'a template of 3,900 filters': {
      provider: 'anthropic',
      request: claude({ system: [{ type: 'text', text: filledWith('{{ a | upcase | append: a }} ', 29 * 3_900) }] }),
      more: { vars: { a: 'rye' } },
    },
    'a template of assignments': {
      provider: 'anthropic',
      request: claude({
        system: [
          { type: 'text', text: `{% assign b = a %}${filledWith('{% assign b = b | append: b %}', 30 * 40)}{{ b }}` },
        ],
      }),
      more: { vars: { a: WORDS } },
    },
    'a template of splits': {
      provider: 'anthropic',
      request: claude({
        system: [{ type: 'text', text: filledWith("{{ a | split: '' | reverse | join: '' }}", 40 * 200) }],
      }),
      more: { vars: { a: WORDS.repeat(300) } },
    },
  }
}

/** Letters that no vocabulary merges well: the same at each run. */
function noise(bytes: number): string {
  let state = 7
  let text = ''
  while (text.length < bytes) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    text += String.fromCharCode(97 + ((state >> 16) % 26))
    if (state % 61 === 0) text += ' '
  }
  return text
}

/** What JSON.stringify cannot write: it would end the stack. */
export function withDepth(text: string): string {
  return text
    .replace('"LISTS"', () => '['.repeat(90_000) + ']'.repeat(90_000))
    .replace('"OBJECTS"', () => '{"a":'.repeat(90_000) + '1' + '}'.repeat(90_000))
}

/** Bodies of other routes, of which some take many requests in one. */
export function* elsewhere(): Generator<HostileBody> {
  const words = (bytes: number) => claude({ system: [{ type: 'text', text: filledWith(WORDS, bytes) }] })
  const usage = { input_tokens: 12, output_tokens: 3 }
  const seen = (request: unknown) => ({ provider: 'anthropic', request, usage, started_at: 1_795_000_000_000 })
  yield {
    name: 'render: 3.9 MB of words',
    route: 'render',
    text: JSON.stringify({ provider: 'anthropic', request: words(3.9 * MB) }),
  }
  yield {
    name: 'render: 7.9 MB of words',
    route: 'render',
    text: JSON.stringify({ provider: 'anthropic', request: words(7.9 * MB) }),
  }
  yield { name: 'observations: one of 7.9 MB', route: 'observations', text: JSON.stringify([seen(words(7.9 * MB))]) }
  yield {
    name: 'observations: 100 of 79 KB',
    route: 'observations',
    text: JSON.stringify(numbered(100, () => seen(words(0.079 * MB)))),
  }
  yield {
    name: 'observations: 100 of 150 messages',
    route: 'observations',
    text: JSON.stringify(
      numbered(100, (of) =>
        seen(
          claude({
            messages: numbered(150, (n) => ({ role: n % 2 === 0 ? 'user' : 'assistant', content: `ja ${of}` })),
          }),
        ),
      ),
    ),
  }
  yield {
    name: 'observations: one of 15,500 messages',
    route: 'observations',
    text: JSON.stringify([
      seen(
        claude({ messages: numbered(15_500, (n) => ({ role: n % 2 === 0 ? 'user' : 'assistant', content: 'ja' })) }),
      ),
    ]),
  }
  yield {
    name: 'observations: a usage of 39,000 counts',
    route: 'observations',
    text: JSON.stringify([{ prefix_id: 'pfx_0', usage: keyed(MEMBERS, 1), started_at: 1_795_000_000_000 }]),
  }
  yield {
    name: 'caches: 3.9 MB of words',
    route: 'caches',
    text: JSON.stringify({
      provider: 'gemini',
      model: 'gemini-3.8-flash',
      request: { contents: [{ role: 'user', parts: [{ text: filledWith(WORDS, 3.9 * MB) }] }] },
    }),
  }
  yield {
    name: 'caches: 9,500 turns',
    route: 'caches',
    text: JSON.stringify({
      provider: 'gemini',
      model: 'gemini-3.8-flash',
      request: {
        contents: numbered(9_500, (n) => ({ role: n % 2 === 0 ? 'user' : 'model', parts: [{ text: 'ja' }] })),
      },
    }),
  }
  const crew = (agents: unknown[]) => JSON.stringify({ agents })
  yield {
    name: 'preload: two agents of 1.9 MB',
    route: 'preload',
    text: crew(numbered(2, () => ({ provider: 'anthropic', request: words(1.9 * MB) }))),
  }
  yield {
    name: 'preload: 64 agents of 60 KB',
    route: 'preload',
    text: crew(
      numbered(64, () => ({
        provider: 'openai',
        request: gpt({ input: [{ role: 'developer', content: filledWith(WORDS, 0.06 * MB) }] }),
      })),
    ),
  }
  yield {
    name: 'preload: 64 agents of the neutral form that part in their text',
    route: 'preload',
    text: crew(
      numbered(64, (n) => ({
        provider: 'anthropic',
        model: 'claude-opus-4-8',
        system: `${filledWith(WORDS, 0.06 * MB)} Agent ${n}.`,
      })),
    ),
  }
  yield {
    name: 'preload: 64 agents with templates',
    route: 'preload',
    text: crew(
      numbered(64, () => ({
        provider: 'anthropic',
        request: claude({ system: [{ type: 'text', text: filledWith('{{ a }} ', 8 * 3_900) }] }),
        vars: { a: 'rye' },
      })),
    ),
  }
  yield {
    name: 'preload: 64 agents of 240 messages',
    route: 'preload',
    text: crew(
      numbered(64, () => ({
        provider: 'anthropic',
        request: claude({
          messages: numbered(240, (n) => ({ role: n % 2 === 0 ? 'user' : 'assistant', content: 'ja' })),
        }),
      })),
    ),
  }
}

/** Bodies of `POST /diagnose` and `POST /bots`, which are read to their end. */
export function* told(): Generator<HostileBody> {
  const words = (bytes: number) => claude({ system: [{ type: 'text', text: filledWith(WORDS, bytes) }] })
  const turns = (count: number, last: string) =>
    claude({
      messages: numbered(count, (n) => ({
        role: n % 2 === 0 ? 'user' : 'assistant',
        content: n === count - 1 ? last : 'ja',
      })),
    })
  const pair = (before: unknown, after: unknown, between: unknown[] = []) =>
    JSON.stringify({ provider: 'anthropic', before: { request: before }, after: { request: after }, between })
  yield { name: 'diagnose: two of 3.9 MB', route: 'diagnose', text: pair(words(3.9 * MB), words(3.9 * MB - 1)) }
  yield { name: 'diagnose: two of 7,500 messages', route: 'diagnose', text: pair(turns(7_500, 'a'), turns(7_500, 'b')) }
  yield {
    name: 'diagnose: two of 19,000 keys in a tool',
    route: 'diagnose',
    text: pair(
      claude({ tools: tool({ type: 'object', examples: keyed(19_000, 1) }) }),
      claude({ tools: tool({ type: 'object', examples: keyed(19_000, 2) }) }),
    ),
  }
  yield {
    name: 'diagnose: twenty of 390 KB',
    route: 'diagnose',
    text: pair(
      words(0.39 * MB),
      words(0.39 * MB - 1),
      numbered(18, (n) => ({ request: words(0.39 * MB - n) })),
    ),
  }
  yield {
    name: 'bots: a system prompt of 600 KB',
    route: 'bots',
    text: JSON.stringify({
      provider: 'anthropic',
      model: 'claude-opus-5',
      history_tokens: 200_000,
      system_prompt: filledWith(WORDS, 0.6 * MB),
    }),
  }
}
