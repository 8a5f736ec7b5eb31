import { conversation, FORMATS, next, otherModel, render, rules } from './conversation.ts'
import type { Conversation, Format } from './conversation.ts'

/** A labelled case: a body of `POST /diagnose`, as text, and the only right answer. */
export interface LabelledCase {
  name: string
  format: string
  text: string
  expect: string
  /** False: the evidence fits several causes, and `unknown` is right. */
  identifiable: boolean
}

interface Sent {
  request?: string
  headers?: Record<string, string>
  usage?: Record<string, unknown>
  started_at?: number
  first_token_at?: number
  status?: number
  credential?: string
  response_id?: string
  diagnostics?: unknown
}

const BEGIN_AT = Date.UTC(2026, 10, 30, 10)
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** Counts of a usage, in the words of a format. */
function usage(
  format: Format,
  { input, read = 0, write = 0 }: { input: number; read?: number; write?: number },
): Record<string, unknown> {
  const output = 60
  switch (format) {
    case 'anthropic':
      return {
        input_tokens: input - read - write,
        cache_creation_input_tokens: write,
        cache_read_input_tokens: read,
        cache_creation: { ephemeral_5m_input_tokens: write, ephemeral_1h_input_tokens: 0 },
        output_tokens: output,
      }
    case 'bedrock':
      return {
        inputTokens: input - read - write,
        cacheReadInputTokens: read,
        cacheWriteInputTokens: write,
        outputTokens: output,
        totalTokens: input + output,
      }
    case 'gemini':
      return {
        promptTokenCount: input,
        ...(read > 0 ? { cachedContentTokenCount: read } : {}),
        candidatesTokenCount: output,
        totalTokenCount: input + output,
      }
    case 'openai':
      return {
        input_tokens: input,
        input_tokens_details: { cached_tokens: read },
        output_tokens: output,
        total_tokens: input + output,
      }
    case 'openai-chat':
      return {
        prompt_tokens: input,
        prompt_tokens_details: { cached_tokens: read },
        completion_tokens: output,
        total_tokens: input + output,
      }
  }
}

const marked = (format: Format): boolean => format === 'anthropic' || format === 'bedrock'
const tokensOf = (body: string): number => Math.floor(body.length / 4.2)

/** A pair: the first request wrote the prefix, the second read `share` of it, half a minute later. */
function pair(
  format: Format,
  before: Conversation,
  after: Conversation,
  {
    share = 0,
    gap = 40 * SECOND,
    first = {},
    second = {},
  }: { share?: number; gap?: number; first?: Sent; second?: Sent } = {},
): { before: Sent; after: Sent } {
  const [one, two] = [render(format, before), render(format, after)]
  const [input, later] = [tokensOf(one), tokensOf(two)]
  const read = Math.floor((input * share) / 128) * 128
  const left = marked(format) ? { write: input - 30 } : {}
  return {
    before: {
      request: one,
      usage: usage(format, { input, ...left }),
      started_at: BEGIN_AT,
      first_token_at: BEGIN_AT + 2 * SECOND,
      credential: 'team',
      ...first,
    },
    after: {
      request: two,
      usage: usage(format, { input: later, read, ...(marked(format) ? { write: later - read - 30 } : {}) }),
      started_at: BEGIN_AT + gap,
      credential: 'team',
      ...second,
    },
  }
}

type Pair = { before: Sent; after: Sent; between?: Sent[] }

/** One cause, put into a conversation of a format; null: it cannot happen there. */
type Injection = (format: Format) => Pair | null

/** Both requests of a conversation, of which the second is changed. */
function changed(
  change: (after: Conversation, format: Format, before: Conversation) => void,
  options: { share?: number; gap?: number } = {},
): Injection {
  return (format) => {
    const before = conversation(format)
    const after = next(before)
    change(after, format, before)
    // Without markers, what both begin with is read.
    const share = options.share ?? (marked(format) ? 0 : sharedHead(format, before, after))
    return pair(format, before, after, { ...options, share })
  }
}

/** The share of a prompt that two begin with, where nothing beside them differs. */
function sharedHead(format: Format, before: Conversation, after: Conversation): number {
  const settings = ({ model, extra, cacheKey }: Conversation): string => JSON.stringify([model, extra, cacheKey])
  if (settings(before) !== settings(after)) return 0
  const [one, other] = [before, after].map(({ tools, system, turns }) =>
    JSON.stringify(format === 'gemini' ? [system, tools, turns] : [tools, system, turns]),
  )
  if (one === undefined || other === undefined) return 0
  let at = 0
  while (at < one.length && one[at] === other[at]) at++
  // Caches read whole blocks, above a minimum.
  return at / 4.2 < 1_100 ? 0 : (at / one.length) * 0.95
}

/** A line of the system prompt that is another one in each request. */
function line(one: string, other: string, block = 0): Injection {
  return changed((after, _format, before) => {
    before.system[block] = `${one}\n${before.system[block] ?? ''}`
    after.system[block] = `${other}\n${after.system[block] ?? ''}`
  })
}

/** A section behind the rules of the first block. */
function section(one: string, other: string): Injection {
  return changed((after, _format, before) => {
    before.system[0] += `\n\n${one}\n\nAnswer in full sentences.`
    after.system[0] += `\n\n${other}\n\nAnswer in full sentences.`
  })
}

const same: Injection = changed(() => undefined, { share: 0.97 })

/** Same bytes, another clock, other headers. */
function still(
  options: (format: Format) => { gap?: number; first?: Sent; second?: Sent; share?: number } | null,
): Injection {
  return (format) => {
    const before = conversation(format)
    const given = options(format)
    return given === null ? null : pair(format, before, next(before), given)
  }
}

const only =
  (formats: readonly Format[], one: Injection): Injection =>
  (format) =>
    formats.includes(format) ? one(format) : null
const except =
  (formats: readonly Format[], one: Injection): Injection =>
  (format) =>
    formats.includes(format) ? null : one(format)
const MARKED: readonly Format[] = ['anthropic', 'bedrock']
const OPENAI: readonly Format[] = ['openai', 'openai-chat']

/** The part of the prompt in front of the turns, about. */
const HEAD = 0.8

const CAUSES: readonly [name: string, expect: string, inject: Injection, identifiable?: false][] = [
  ['clock with seconds in the first line', 'clock_in_prefix', line('Current time: 10:41:07', 'Current time: 10:42:07')],
  ['ISO timestamp', 'clock_in_prefix', line('Generated at 2026-11-30T10:41:07Z', 'Generated at 2026-11-30T10:43:51Z')],
  ['epoch seconds', 'clock_in_prefix', line('now=1796035267', 'now=1796035307')],
  [
    'clock with am and pm in a sentence',
    'clock_in_prefix',
    section('It is now 9:58 AM in Vienna.', 'It is now 10:04 AM in Vienna.'),
  ],
  [
    'last updated within memory',
    'clock_in_prefix',
    section(
      '# Memory\nLast updated: 2026-11-30 10:02:11\n- likes huts',
      '# Memory\nLast updated: 2026-11-30 10:14:45\n- likes huts',
    ),
  ],
  [
    'date in words',
    'date_rolled',
    line("Today's date: Monday, November 30, 2026", "Today's date: Tuesday, December 1, 2026"),
  ],
  [
    'clock in a loop of tools, seconds behind the first write',
    'clock_in_prefix',
    changed(
      (after, _format, before) => {
        before.system[0] = `Now: 10:41:07\n${before.system[0] ?? ''}`
        after.system[0] = `Now: 10:41:12\n${after.system[0] ?? ''}`
      },
      { gap: 5 * SECOND },
    ),
  ],
  ['ISO date', 'date_rolled', line('Date: 2026-11-30', 'Date: 2026-12-01')],
  ['date as midnight', 'date_rolled', line('today = 2026-11-30T00:00:00Z', 'today = 2026-12-01T00:00:00Z')],
  [
    'uuid nonce',
    'id_in_prefix',
    line('nonce: 7c9e6679-7425-40de-944b-e07fc1f90ae7', 'nonce: 1b4e28ba-2fa1-41d2-883f-0016d3cca427'),
  ],
  ['session id', 'id_in_prefix', line('Session ID: sess_8fk20dkq91', 'Session ID: sess_19xk3mmq04')],
  [
    'session URL in a tool description',
    'id_in_prefix',
    changed((after, _f, before) => {
      for (const [one, id] of [
        [before, 'a81f09c2de'],
        [after, 'f0e1277bc4'],
      ] as const) {
        const tool = one.tools[2]
        if (tool !== undefined) tool.description += ` Results appear at https://shop.example/session/${id}/results.`
      }
    }),
  ],
  ['request id in brackets', 'id_in_prefix', section('[request: 8f14e45fceea]', '[request: 2c3a9911f0bd]')],
  [
    'git status',
    'environment_in_prefix',
    section(
      '# Git status\nOn branch main\nmodified: src/tent.ts',
      '# Git status\nOn branch main\nmodified: src/stove.ts\nmodified: src/rope.ts',
    ),
  ],
  [
    'recent commits',
    'environment_in_prefix',
    section(
      'Recent commits:\n9f3c2a1 Add the winter list',
      'Recent commits:\n41bb0de Price the footprint\n9f3c2a1 Add the winter list',
    ),
  ],
  [
    'working directory',
    'environment_in_prefix',
    section('Working directory: /home/anna/shop', 'Working directory: /home/anna/shop/api'),
  ],
  ['token counter', 'environment_in_prefix', section('Tokens used so far: 18233', 'Tokens used so far: 21510')],
  ['iteration counter', 'environment_in_prefix', section('Iteration: 4', 'Iteration: 5')],
  [
    'attribution line elsewhere than at its maker',
    'attribution_header',
    only(
      ['bedrock', 'openai-chat'],
      line(
        'x-anthropic-billing-header: cc_version=2.1.140; cch=a81f0;',
        'x-anthropic-billing-header: cc_version=2.1.140; cch=77de2;',
      ),
    ),
  ],
  [
    'build in the attribution line',
    'attribution_header',
    only(
      ['anthropic'],
      line(
        'x-anthropic-billing-header: cc_version=2.1.140.5c1; cch=a81f0;',
        'x-anthropic-billing-header: cc_version=2.1.141.0aa; cch=77de2;',
      ),
    ),
  ],
  [
    'checksum of the attribution line at its maker',
    'no_miss',
    only(['anthropic'], (format) => {
      const before = conversation(format)
      before.system[0] = `x-anthropic-billing-header: cc_version=2.1.140; cch=a81f0;\n${before.system[0] ?? ''}`
      const after = next(before)
      after.system[0] = (after.system[0] ?? '').replace('cch=a81f0', 'cch=77de2')
      return pair(format, before, after, { share: 0.98 })
    }),
  ],
  [
    'retrieved passages',
    'memory_rewritten',
    section(
      '# Relevant documents\nThe Gneis 2 was tested at minus 20 degrees by the alpine club.',
      '# Relevant documents\nFootprints protect the floor of a tent from sharp stones and from water.',
    ),
  ],
  [
    'remembered facts',
    'memory_rewritten',
    section(
      '<memory>\nThe customer climbs in winter.\n</memory>',
      '<memory>\nThe customer climbs in winter.\nThe customer has a dog.\n</memory>',
    ),
  ],
  [
    'first turns cut away',
    'history_rewritten',
    changed(
      (after) => {
        after.turns.splice(0, 3)
        after.markedTurn = after.turns.length - 1
      },
      { share: HEAD },
    ),
  ],
  [
    'turns replaced by a summary',
    'history_rewritten',
    changed(
      (after) => {
        after.turns.splice(0, 4, {
          role: 'user',
          text: 'Summary of the conversation so far: the customer looks for a winter tent for two and likes the Gneis 2.',
        })
        after.markedTurn = after.turns.length - 1
      },
      { share: HEAD },
    ),
  ],
  [
    'stored otherwise than sent',
    'history_rewritten',
    changed(
      (after) => {
        const turn = after.turns[0]
        if (turn?.role === 'user')
          turn.text = turn.text.replace('Which tent', '<question>Which tent').concat('</question>')
      },
      { share: HEAD },
    ),
  ],
  [
    'result shortened',
    'history_rewritten',
    changed(
      (after) => {
        const turn = after.turns[2]
        const [result] = turn?.role === 'results' ? turn.results : []
        if (result !== undefined) result.text = '[old result cleared]'
      },
      { share: HEAD },
    ),
  ],
  [
    'thinking dropped',
    'thinking_dropped',
    changed(
      (after, _f, before) => {
        const turn = before.turns[3]
        if (turn?.role === 'assistant') turn.thinking = `The customer wants a light tent. ${rules(6, 500)}`
        const later = after.turns[3]
        if (later?.role === 'assistant') delete later.thinking
      },
      { share: HEAD },
    ),
  ],
  [
    'image sent as another one',
    'media_changed',
    except(
      ['openai-chat'],
      changed(
        (after, _f, before) => {
          const turns = [before.turns[0], after.turns[0]]
          for (const [at, turn] of turns.entries())
            if (turn?.role === 'user')
              turn.image = at === 0 ? 'aGVsbG8gd29ybGQ'.repeat(40) : 'b3RoZXIgcGl4ZWxz'.repeat(40)
        },
        { share: HEAD },
      ),
    ),
  ],
  [
    'image replaced by words',
    'media_changed',
    except(
      ['openai-chat'],
      changed(
        (after, _f, before) => {
          const turn = before.turns[0]
          if (turn?.role === 'user') turn.image = 'aGVsbG8gd29ybGQ'.repeat(40)
          const later = after.turns[0]
          if (later?.role === 'user') later.text = `[image omitted] ${later.text}`
        },
        { share: HEAD },
      ),
    ),
  ],
  [
    'system prompt cut into other blocks',
    'block_shape',
    only(
      ['anthropic', 'bedrock', 'gemini'],
      changed((after) => {
        const [first = '', second = ''] = after.system
        const at = first.indexOf('# Rules')
        after.system = [first.slice(0, at), first.slice(at), second]
        after.marks = [2]
      }),
    ),
  ],
  [
    'a rule was edited',
    'text_changed',
    changed((after) => {
      after.system[0] = (after.system[0] ?? '').replace(
        'Answer in the language of the customer',
        'Always answer in German',
      )
    }),
  ],
  ['tools in another order', 'tool_order', changed((after) => void after.tools.reverse())],
  [
    'schema keys in another order',
    'key_order',
    changed((after) => {
      const tool = after.tools[1]
      if (tool !== undefined)
        tool.schema = { required: ['query'], properties: tool.schema['properties'], type: 'object' }
    }),
  ],
  [
    'arguments in another order',
    'key_order',
    changed(
      (after) => {
        const turn = after.turns[1]
        const [call] = turn?.role === 'calls' ? turn.calls : []
        if (call !== undefined) call.input = { limit: 5, query: 'winter tent' }
      },
      { share: HEAD },
    ),
  ],
  [
    'results in the order in which they were ready',
    'result_order',
    changed(
      (after) => {
        const turn = after.turns[2]
        if (turn?.role === 'results') turn.results.reverse()
      },
      { share: HEAD },
    ),
  ],
  ['another model', 'model_changed', changed((after, format) => void (after.model = otherModel(format)))],
  [
    'speed',
    'model_changed',
    only(
      ['anthropic'],
      changed((after) => void (after.extra['speed'] = 'fast')),
    ),
  ],
  [
    'a tool more',
    'tools_changed',
    changed((after) => {
      after.tools.push({
        name: 'cancel_order',
        description: 'Cancels an order.',
        schema: { type: 'object', properties: {} },
      })
    }),
  ],
  ['a tool less', 'tools_changed', changed((after) => void after.tools.splice(1, 1))],
  [
    'description of a tool',
    'tool_schema_changed',
    changed((after) => {
      const tool = after.tools[3]
      if (tool !== undefined) tool.description = 'Opens a ticket for the repair service and answers with its number.'
    }),
  ],
  [
    'schema of a tool',
    'tool_schema_changed',
    changed((after) => {
      const tool = after.tools[0]
      if (tool !== undefined) tool.schema = { ...tool.schema, required: ['query', 'limit'] }
    }),
  ],
  [
    'effort',
    'effort_changed',
    only(
      ['openai', 'openai-chat'],
      changed((after, format, before) => {
        const of = (effort: string): Record<string, unknown> =>
          format === 'openai' ? { reasoning: { effort } } : { reasoning_effort: effort }
        before.extra = of('low')
        after.extra = of('high')
      }),
    ),
  ],
  [
    'thinking switched on',
    'thinking_changed',
    only(
      ['gemini'],
      changed((after, _format, before) => {
        before.extra = { generationConfig: { thinkingConfig: { thinkingBudget: 1024 } } }
        after.extra = { generationConfig: { thinkingConfig: { thinkingBudget: 8192 } } }
      }),
    ),
  ],
  [
    'response schema',
    'response_schema_changed',
    only(
      OPENAI,
      changed((after, format) => {
        const schema = { name: 'answer', schema: { type: 'object', properties: { text: { type: 'string' } } } }
        after.extra =
          format === 'openai'
            ? { text: { format: { type: 'json_schema', ...schema } } }
            : { response_format: { type: 'json_schema', json_schema: schema } }
      }),
    ),
  ],
  [
    'choice of a tool, turns written anew',
    'tool_choice_changed',
    only(
      ['anthropic'],
      changed((after) => void (after.extra['tool_choice'] = { type: 'any' }), { share: HEAD }),
    ),
  ],
  [
    'beta header',
    'beta_changed',
    only(
      ['anthropic'],
      still(() => ({ first: { headers: { 'anthropic-beta': 'context-1m-2025-08-07' } }, second: { headers: {} } })),
    ),
  ],
  [
    'service tier',
    'service_tier_changed',
    only(
      ['openai'],
      changed((after) => void (after.extra['service_tier'] = 'priority')),
    ),
  ],
  [
    'marker left out',
    'marker_missing',
    only(
      MARKED,
      changed((after) => {
        after.marks = []
        after.markedTurn = null
      }),
    ),
  ],
  [
    'no marker in any request',
    'marker_missing',
    only(MARKED, (format) => {
      const before = conversation(format)
      before.marks = []
      before.markedTurn = null
      const none = { usage: usage(format, { input: 9_000 }) }
      return pair(format, before, next(before), { first: none, second: none })
    }),
  ],
  [
    'only the tail marked, another question',
    'marker_missing',
    only(MARKED, (format) => {
      const before = conversation(format)
      before.turns = [{ role: 'user', text: 'Which tent do you have for two people?' }]
      before.marks = []
      before.markedTurn = 0
      const after = structuredClone(before)
      after.turns = [{ role: 'user', text: 'Do you repair old boots?' }]
      return pair(format, before, after)
    }),
  ],
  [
    'marker in front of the entry',
    'marker_moved',
    only(
      MARKED,
      changed((after, _f, before) => {
        before.marks = [1]
        before.markedTurn = null
        after.marks = [0]
        after.markedTurn = null
      }),
    ),
  ],
  [
    'more than twenty blocks to the next marker',
    'lookback_exceeded',
    only(MARKED, (format) => {
      const before = conversation(format)
      before.marks = []
      const after = next(before)
      for (let at = 0; at < 14; at++) {
        after.turns.push(
          { role: 'assistant', text: `Step ${at}: done.` },
          { role: 'user', text: `Go on with step ${at + 1}.` },
        )
      }
      after.markedTurn = after.turns.length - 1
      return pair(format, before, after)
    }),
  ],
  [
    'five markers',
    'too_many_markers',
    only(MARKED, (format) => {
      const before = conversation(format)
      const after = next(before)
      after.system = [...after.system, 'Be kind.', 'Be exact.', 'Be quick.']
      after.marks = [0, 1, 2, 3]
      return pair(format, before, after, { second: { status: 400, usage: undefined as never } })
    }),
  ],
  [
    'a short prompt',
    'below_minimum',
    except(['gemini'], (format) => {
      const before = conversation(format)
      before.system = ['You are the assistant of a shop.']
      before.tools = []
      before.marks = [0]
      before.turns = [{ role: 'user', text: 'Which tent do you have?' }]
      before.markedTurn = null
      const after = structuredClone(before)
      const [one, two] = [render(format, before), render(format, after)]
      return {
        before: { request: one, usage: usage(format, { input: 60 }), started_at: BEGIN_AT, credential: 'team' },
        after: {
          request: two,
          usage: usage(format, { input: 60 }),
          started_at: BEGIN_AT + 30 * SECOND,
          credential: 'team',
        },
      }
    }),
  ],
  [
    'cache key left out',
    'cache_key_missing',
    only(
      OPENAI,
      changed((after, _f, before) => {
        before.cacheKey = 'shop-agent'
        after.cacheKey = null
      }),
    ),
  ],
  [
    'cache key by session',
    'cache_key_changed',
    only(
      OPENAI,
      changed((after, _f, before) => {
        before.cacheKey = 'session-8821'
        after.cacheKey = 'session-8822'
      }),
    ),
  ],
  ['another credential', 'credential_changed', still(() => ({ second: { credential: 'other' } }))],
  ['eight hours of silence', 'expired', still(() => ({ gap: 8 * HOUR }))],
  ['side by side', 'parallel_writes', still(() => ({ gap: SECOND }))],
  ['right behind the first token', 'read_before_readable', still(() => ({ gap: 3 * SECOND }))],
  [
    'gone within its lifetime',
    'evicted',
    only(
      ['anthropic', 'bedrock'],
      still(() => ({ gap: 2 * MINUTE })),
    ),
  ],
  [
    'an hour asked, five minutes granted',
    'ttl_downgraded',
    only(['anthropic'], (format) => {
      const before = conversation(format)
      const given = pair(format, before, next(before), { gap: 20 * MINUTE })
      const longer = (text = ''): string => text.replaceAll('{"type":"ephemeral"}', '{"type":"ephemeral","ttl":"1h"}')
      given.before.request = longer(given.before.request)
      given.after.request = longer(given.after.request)
      return given
    }),
  ],
  [
    'twenty a minute on one key',
    'machine_spill',
    only(OPENAI, (format) => {
      const before = conversation(format)
      before.model = otherModel(format)
      before.cacheKey = 'shop-agent'
      const given = pair(format, before, next(before), { gap: 70 * SECOND })
      const read = usage(format, {
        input: tokensOf(given.before.request ?? ''),
        read: tokensOf(given.before.request ?? '') - 200,
      })
      const between = Array.from({ length: 24 }, (_, at): Sent => ({
        request: given.before.request ?? '',
        usage: read,
        started_at: BEGIN_AT + 12 * SECOND + at * 2 * SECOND,
        credential: 'team',
      }))
      return { ...given, between }
    }),
  ],
  [
    'the provider says tools, no bodies',
    'tools_changed',
    only(['anthropic'], (format) => ({
      before: { usage: usage(format, { input: 9_000, write: 8_900 }), started_at: BEGIN_AT, response_id: 'msg_1' },
      after: {
        usage: usage(format, { input: 9_100, write: 9_000 }),
        started_at: BEGIN_AT + MINUTE,
        diagnostics: { cache_miss_reason: { type: 'tools_changed', cache_missed_input_tokens: 8_900 } },
      },
    })),
  ],
  [
    'usage without counts of the cache',
    'not_reported',
    still((format) => (format === 'gemini' ? null : { second: { usage: NO_COUNTS[format] } })),
  ],
  ['all counts zero', 'misread_usage', still((format) => ({ second: { usage: usage(format, { input: 0 }) } }))],
  [
    'more cached than sent',
    'misread_usage',
    only(
      ['openai', 'openai-chat', 'gemini'],
      still((format) => ({ second: { usage: usage(format, { input: 4_000, read: 9_000 }) } })),
    ),
  ],
  ['a conversation that grows', 'no_miss', same],
  [
    'another question behind the prefix',
    'no_miss',
    (format) => {
      const before = conversation(format)
      before.turns = [{ role: 'user', text: 'Which tent do you have for two people in the winter?' }]
      before.markedTurn = null
      const after = structuredClone(before)
      after.turns = [{ role: 'user', text: 'How do I wash a down jacket?' }]
      return pair(format, before, after, { share: 0.97 })
    },
  ],
  [
    'order of members where it does not count',
    'no_miss',
    only(['anthropic', 'openai', 'openai-chat'], (format) => {
      const before = conversation(format)
      const given = pair(format, before, next(before), { share: 0.97 })
      const members = Object.entries(JSON.parse(given.after.request ?? '{}') as Record<string, unknown>).toReversed()
      given.after.request = JSON.stringify(Object.fromEntries(members))
      return given
    }),
  ],
  [
    'order of members where it counts',
    'key_order',
    only(['gemini'], (format) => {
      const before = conversation(format)
      const given = pair(format, before, next(before))
      const members = Object.entries(JSON.parse(given.after.request ?? '{}') as Record<string, unknown>).toReversed()
      given.after.request = JSON.stringify(Object.fromEntries(members))
      return given
    }),
  ],
  // Evidence that fits several causes.
  [
    'a clock and eight hours',
    'unknown',
    (format) => {
      const before = conversation(format)
      before.marks = [1]
      before.system[0] = `Current time: 01:12:07\n${before.system[0] ?? ''}`
      const after = next(before)
      after.system[0] = (after.system[0] ?? '').replace('01:12:07', '09:14:55')
      return pair(format, before, after, { gap: 8 * HOUR })
    },
    false,
  ],
  [
    'nothing known of the credential, gone in time',
    'unknown',
    only(
      MARKED,
      still(() => ({
        gap: 2 * MINUTE,
        first: { credential: undefined as never },
        second: { credential: undefined as never },
      })),
    ),
    false,
  ],
  [
    'shortly beyond a lifetime that is a floor',
    'unknown',
    only(
      ['openai'],
      still(() => ({ gap: 40 * MINUTE })),
    ),
    false,
  ],
  [
    'previous message not found, never asked',
    'unknown',
    only(['anthropic'], () => ({
      before: { usage: usage('anthropic', { input: 9_000, write: 8_900 }), started_at: BEGIN_AT, response_id: 'msg_1' },
      after: {
        usage: usage('anthropic', { input: 9_100, write: 9_000 }),
        started_at: BEGIN_AT + MINUTE,
        diagnostics: { cache_miss_reason: { type: 'previous_message_not_found' } },
      },
    })),
    false,
  ],
  // Two changes, of which a marked head that did not change tells which it was not.
  [
    'a choice of tools, and another credential',
    'credential_changed',
    only(['anthropic'], (format) => {
      const before = conversation(format)
      const after = next(before)
      after.extra['tool_choice'] = { type: 'any' }
      return pair(format, before, after, { second: { credential: 'other' } })
    }),
  ],
]

const NO_COUNTS: Readonly<Record<Format, Record<string, unknown>>> = {
  anthropic: { input_tokens: 9_000, output_tokens: 60 },
  bedrock: { inputTokens: 9_000, outputTokens: 60, totalTokens: 9_060 },
  gemini: {},
  openai: { input_tokens: 9_000, output_tokens: 60, total_tokens: 9_060 },
  'openai-chat': { prompt_tokens: 9_000, completion_tokens: 60, total_tokens: 9_060 },
}

/** All cases: each cause in each wire format in which it can happen. */
export function corpus(): LabelledCase[] {
  return CAUSES.flatMap(([name, expect, inject, identifiable = true]) =>
    FORMATS.flatMap((format) => {
      const found = inject(format)
      if (found === null) return []
      return [{ name, format, text: textOf(format, found), expect, identifiable }]
    }),
  )
}

/** How many causes there are, over all formats. */
export const CAUSES_COUNTED = CAUSES.length

function textOf(format: Format, { before, after, between }: Pair): string {
  const members = [`"provider":${JSON.stringify(format)}`, `"before":${sentText(before)}`, `"after":${sentText(after)}`]
  if (between !== undefined) members.push(`"between":[${between.map(sentText).join(',')}]`)
  return `{${members.join(',')}}`
}

/** The body stands in the text byte for byte. */
function sentText({ request, ...rest }: Sent): string {
  const others = JSON.stringify(rest).slice(1, -1)
  const body = request === undefined ? '' : `"request":${request}`
  return `{${[body, others].filter((one) => one !== '').join(',')}}`
}
