/** Whose doing a miss is. `nobody`: time passed, or nothing was missed. */
export type Fault = 'yours' | 'provider' | 'nobody'

export type VerdictGroup =
  | 'content'
  | 'order'
  | 'parameters'
  | 'placement'
  | 'routing'
  | 'timing'
  | 'provider'
  | 'accounting'
  | 'none'

interface VerdictRow {
  group: VerdictGroup
  fault: Fault
  /** Sentence: what happened. */
  says: string
  /** Sentence: what to do; empty where nothing is to be done. */
  fix: string
}

/** Every answer to "why did it miss?", in the order in which documents list them. */
export const VERDICTS = {
  clock_in_prefix: {
    group: 'content',
    fault: 'yours',
    says: 'A time of the day stands in the prefix, and each request writes another one.',
    fix: 'Move the time behind the last breakpoint, into the last user message, or let the model get it with a tool.',
  },
  date_rolled: {
    group: 'content',
    fault: 'yours',
    says: 'A date stands in the prefix, and the day changed.',
    fix: 'Take the date once for each session, or move it into the last user message.',
  },
  id_in_prefix: {
    group: 'content',
    fault: 'yours',
    says: 'An id of a session, a request or a run stands in the prefix.',
    fix: 'Send the id outside of the prompt (metadata, a header), or behind the last breakpoint.',
  },
  environment_in_prefix: {
    group: 'content',
    fault: 'yours',
    says: 'The state of the machine stands in the prefix: a directory, a branch, a status or a counter.',
    fix: 'Put a breakpoint in front of the part that describes the machine, or move that part into the last user message.',
  },
  attribution_header: {
    group: 'content',
    fault: 'yours',
    says: 'The client writes an attribution line with a changing value into the system prompt.',
    fix: 'Switch the attribution line of the client off.',
  },
  memory_rewritten: {
    group: 'content',
    fault: 'yours',
    says: 'Text that was remembered or retrieved is set into the system prompt anew.',
    fix: 'Append it to the last user message, and leave the system prompt as it is.',
  },
  history_rewritten: {
    group: 'content',
    fault: 'yours',
    says: 'An earlier part of the conversation was cut, shortened or written anew.',
    fix: 'Send earlier turns as they were sent before. Cut in large steps and seldom, not with every turn.',
  },
  thinking_dropped: {
    group: 'content',
    fault: 'yours',
    says: 'Thinking of an earlier turn is sent in one request and left out of the other.',
    fix: 'Send the blocks of thinking back as they came, in each request or in none.',
  },
  media_changed: {
    group: 'content',
    fault: 'yours',
    says: 'An image, a file or a document of an earlier turn is sent in another form.',
    fix: 'Send the same bytes, or the same file id, each time.',
  },
  block_shape: {
    group: 'content',
    fault: 'yours',
    says: 'The same text is cut into other blocks.',
    fix: 'Build the blocks in one place, so that a resumed conversation has the same ones.',
  },
  text_changed: {
    group: 'content',
    fault: 'yours',
    says: 'The text of the prefix changed.',
    fix: 'If the change was meant, one new write is its price. If not, compare the two texts at the place that is named.',
  },
  tool_order: {
    group: 'order',
    fault: 'yours',
    says: 'The same tools stand in another order.',
    fix: 'Sort the tools by name before sending.',
  },
  key_order: {
    group: 'order',
    fault: 'yours',
    says: 'The members of a JSON object stand in another order.',
    fix: 'Write JSON with its members in one order.',
  },
  result_order: {
    group: 'order',
    fault: 'yours',
    says: 'Results of tools stand in the order in which they were ready.',
    fix: 'Send the results in the order of the calls.',
  },
  model_changed: {
    group: 'parameters',
    fault: 'yours',
    says: 'The requests name different models, or different speeds. Models share no cache.',
    fix: 'Keep one model in a conversation. A fallback to another model writes the prefix again.',
  },
  tools_changed: {
    group: 'parameters',
    fault: 'yours',
    says: 'A tool was added or removed.',
    fix: 'Send all tools in each request, and choose among them with tool_choice or allowed_tools.',
  },
  tool_schema_changed: {
    group: 'parameters',
    fault: 'yours',
    says: 'The description or the schema of a tool changed.',
    fix: 'Keep the definitions of tools as they are within a conversation.',
  },
  effort_changed: {
    group: 'parameters',
    fault: 'yours',
    says: 'The effort of reasoning changed.',
    fix: 'Keep one effort in a conversation.',
  },
  thinking_changed: {
    group: 'parameters',
    fault: 'yours',
    says: 'The settings of thinking changed.',
    fix: 'Keep thinking as it is within a conversation.',
  },
  response_schema_changed: {
    group: 'parameters',
    fault: 'yours',
    says: 'The format of the answer changed.',
    fix: 'Keep one response format, or ask for the format in the last user message.',
  },
  tool_choice_changed: {
    group: 'parameters',
    fault: 'yours',
    says: 'The choice of tools changed.',
    fix: 'Keep tool_choice as it is within a conversation.',
  },
  beta_changed: {
    group: 'parameters',
    fault: 'yours',
    says: 'The beta features that the request asks for changed.',
    fix: 'Send the same beta headers with each request.',
  },
  service_tier_changed: {
    group: 'parameters',
    fault: 'yours',
    says: 'The service tier changed. Tiers share no cache.',
    fix: 'Keep one service tier in a conversation.',
  },
  marker_missing: {
    group: 'placement',
    fault: 'yours',
    says: 'No cache marker stands at the end of the part that stays the same.',
    fix: 'Set a cache marker on the last block that all requests share.',
  },
  marker_moved: {
    group: 'placement',
    fault: 'yours',
    says: 'The marker stands in front of the entry that was written, so the lookup does not find it.',
    fix: 'Keep a marker at the place where the entry ends, and set a further one behind it.',
  },
  lookback_exceeded: {
    group: 'placement',
    fault: 'yours',
    says: 'More blocks lie between the entry and the next marker than a lookup goes back.',
    fix: 'Set a further marker at most 20 blocks behind the last one.',
  },
  too_many_markers: {
    group: 'placement',
    fault: 'yours',
    says: 'The request has more cache markers than the provider takes.',
    fix: 'Remove the earliest markers of the conversation, and keep four at most.',
  },
  below_minimum: {
    group: 'placement',
    fault: 'yours',
    says: 'The prefix is smaller than the smallest one that the provider caches.',
    fix: 'Nothing is lost: such a prefix is not cached. A longer shared part would be.',
  },
  cache_key_missing: {
    group: 'routing',
    fault: 'yours',
    says: 'One of the requests has no cache key, so another machine may have answered it.',
    fix: 'Send the same cache key with all requests that share the prefix.',
  },
  cache_key_changed: {
    group: 'routing',
    fault: 'yours',
    says: 'The cache key changed, so another machine answered, or another cache was asked.',
    fix: 'Use a key that all requests with this prefix share, such as the name of the agent.',
  },
  credential_changed: {
    group: 'routing',
    fault: 'yours',
    says: 'The requests were sent with different credentials, which share no cache.',
    fix: 'Keep one credential for a conversation, and do not rotate keys of different organisations.',
  },
  provider_flipped: {
    group: 'routing',
    fault: 'provider',
    says: 'The router sent the requests to different providers, which share no cache.',
    fix: 'Pin the provider in the request to the router, or let its order stay the same.',
  },
  expired: {
    group: 'timing',
    fault: 'nobody',
    says: 'More time passed than the provider keeps the entry.',
    fix: 'Keep the prefix warm, or ask for the longer retention if such gaps are common.',
  },
  parallel_writes: {
    group: 'timing',
    fault: 'yours',
    says: 'The requests began side by side, before the first one had written the entry.',
    fix: 'Send one request first, and the others when its first token arrives.',
  },
  read_before_readable: {
    group: 'timing',
    fault: 'provider',
    says: 'The request came right behind the first token of the one that wrote, before the entry could be read.',
    fix: 'Wait a few seconds behind the first answer before the others are sent.',
  },
  evicted: {
    group: 'provider',
    fault: 'provider',
    says: 'The same bytes were asked within the lifetime of the entry, and the provider had dropped it.',
    fix: 'Nothing is wrong with the request. If it comes again, report the two response ids to the provider.',
  },
  ttl_downgraded: {
    group: 'provider',
    fault: 'provider',
    says: 'The request asked for a longer lifetime than the provider granted.',
    fix: 'Compare the lifetime in the usage with the one that was asked for, and report the two to the provider.',
  },
  machine_spill: {
    group: 'provider',
    fault: 'provider',
    says: 'So many requests came at once that the provider used a further machine, with a cache of its own.',
    fix: 'Spread such requests over several cache keys, each below the rate of one machine.',
  },
  not_reported: {
    group: 'accounting',
    fault: 'nobody',
    says: 'The usage has no counts of the cache, so that nothing shows whether it was read.',
    fix: 'Ask for the usage (stream_options.include_usage), and let nothing in between drop its members.',
  },
  misread_usage: {
    group: 'accounting',
    fault: 'nobody',
    says: 'The counts contradict each other or cannot be true, so that they show no miss.',
    fix: "Read the counts from the provider's own usage object, and do not add cached tokens twice.",
  },
  no_miss: {
    group: 'none',
    fault: 'nobody',
    says: 'Nothing that is told shows a miss.',
    fix: '',
  },
  unknown: {
    group: 'none',
    fault: 'nobody',
    says: 'The evidence does not decide.',
    fix: '',
  },
} as const satisfies Record<string, VerdictRow>

export type Verdict = keyof typeof VERDICTS

export const VERDICT_NAMES = Object.keys(VERDICTS) as readonly Verdict[]

/** From this confidence on a verdict is told as one. Below it counts as abstained. */
export const CONFIDENT = 0.7
