import type { CardTokens } from '../card.ts'

/** What limits the tokens of a request, for cards that share a tokenizer. */

const CHECKED_TOKENS = '2026-11-30'

/**
 * Claude. Images have a token for each 28 × 28 pixels and at most 2,576 pixels on an edge (platform.claude.com, "Vision"): 92 × 92. Tools add a system
 * prompt of up to some 800 tokens. Not stated: what tools of the provider and of MCP servers add.
 */
export const CLAUDE_TOKENS: CardTokens = {
  added: { request: 64, message: 16, tool: 32, anyTool: 1_024 },
  parts: { image: 8_464, server_tool: 4_096, mcp_server: 16_384 },
  says: "The tokenizer is not public: a byte may be a token. An image has 8,464 tokens at most. Assumed: at most 4,096 tokens for a tool of the provider's, 16,384 for an MCP server, 1,024 for having tools. Documents that are no text have no limit.",
  source: 'https://platform.claude.com/docs/en/build-with-claude/vision',
  checked: CHECKED_TOKENS,
}

/** The same, with the vendor's own count of a request. It may differ from what is billed "by a small amount", which no page puts in figures. */
export const CLAUDE_COUNTED: CardTokens = {
  ...CLAUDE_TOKENS,
  count: { share: 0.02, tokens: 64 },
  says: `count_tokens is free; it takes no tools of the provider's, no MCP servers, and no images or documents by URL or file id. Assumed: it is at most 2 % and 64 tokens too low. Without it: ${CLAUDE_TOKENS.says}`,
  source: 'https://platform.claude.com/docs/en/build-with-claude/token-counting',
}

/** Claude on Vertex AI, with its count. The models are those of the page. */
export const CLAUDE_COUNTED_BY_VERTEX: CardTokens = {
  ...CLAUDE_TOKENS,
  count: {
    share: 0.02,
    tokens: 64,
    models: ['claude-sonnet-*', 'claude-opus-*', 'claude-fable-*', 'claude-haiku-4-5*', 'claude-3-5-haiku*'],
  },
  says: `count-tokens is free, in some regions and not for all models; elsewhere it refuses. Assumed: it counts as Anthropic's does, at most 2 % and 64 tokens too low. Without it: ${CLAUDE_TOKENS.says}`,
  source: 'https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/partner-models/claude/count-tokens',
  checked: '2026-12-01',
}

/** Claude and Nova on Bedrock: what Claude adds for having tools, and what known chat templates add. */
export const BEDROCK_TOKENS: CardTokens = {
  added: { ...CLAUDE_TOKENS.added, request: 256 },
  parts: { server_tool: 4_096, mcp_server: 16_384 },
  says: 'No tokenizer is public: a byte may be a token. Assumed: chat templates add at most 256 tokens to a request, 16 to a message, 1,024 for having tools, as those of Claude do. Images and documents have no limit.',
  source: 'https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview',
  checked: CHECKED_TOKENS,
}

/**
 * The same, with CountTokens. AWS calls its count the one that is charged. It takes the ids of models alone, no profiles of regions (public
 * issue threads), and refuses prompts above 200,000 tokens (boto/botocore, issue 3707). Models that came with profiles alone are counted at
 * another address, in another format; those of the list are what github.com/danilop/ttok4bedrock names.
 */
export const BEDROCK_COUNTED: CardTokens = {
  ...BEDROCK_TOKENS,
  count: {
    share: 0.02,
    tokens: 64,
    models: [
      'anthropic.claude-sonnet-4-6*',
      'anthropic.claude-opus-4-6*',
      'anthropic.claude-sonnet-4-5*',
      'anthropic.claude-opus-4-5*',
      'anthropic.claude-haiku-4-5*',
      'anthropic.claude-opus-4-1-*',
      'anthropic.claude-sonnet-4-20*',
      'anthropic.claude-opus-4-20*',
      'anthropic.claude-3-7-sonnet*',
      'anthropic.claude-3-5-*',
    ],
  },
  says: `CountTokens is free and counts Claude up to 4.6, at most 200,000 tokens. Assumed: it is at most 2 % and 64 tokens too low. Without it: ${BEDROCK_TOKENS.says}`,
  source: 'https://docs.aws.amazon.com/bedrock/latest/userguide/count-tokens.html',
  checked: '2026-12-01',
}

/** Names of models whose vocabulary is o200k. Sources: `model.py` of tiktoken; the models of npm gpt-tokenizer 4.0.0 for GPT-5.1 to 5.6. */
const O200K_MODELS = ['gpt-4o*', 'gpt-4.1*', 'chatgpt-4o-*', 'gpt-5', 'gpt-5-*', 'gpt-5.*', 'o1*', 'o3*', 'o4-mini*']

/**
 * OpenAI's own models. The largest image is one of 768 × 2,048 pixels in detail for GPT-4o mini: 2,833 tokens and 5,667 for each of eight tiles. Messages add
 * three tokens, and functions some twenty, as OpenAI's cookbook counts them.
 */
export const OPENAI_TOKENS: CardTokens = {
  vocabulary: { models: O200K_MODELS, ratio: 1 },
  added: { request: 128, message: 8, tool: 24, anyTool: 64 },
  parts: { image: 48_169, server_tool: 4_096, mcp_server: 16_384 },
  says: "Models up to GPT-5.6 use the public vocabulary o200k; from GPT-6 on a byte may be a token. An image has 48,169 tokens at most (GPT-4o mini). Assumed: at most 4,096 tokens for a tool of the provider's, 16,384 for an MCP server. Files have no limit.",
  source: 'https://github.com/openai/tiktoken (tiktoken/model.py)',
  checked: CHECKED_TOKENS,
}

/** The same, with the vendor's own count of a request, which it calls exact; no page says what it costs, or that it may differ from what is billed. */
export const OPENAI_COUNTED: CardTokens = {
  ...OPENAI_TOKENS,
  count: { share: 0.02, tokens: 64 },
  says: `/responses/input_tokens counts text, images, files and tools. Assumed: it is free, and at most 2 % and 64 tokens too low. Without it: ${OPENAI_TOKENS.says}`,
  source: 'https://developers.openai.com/api/docs/guides/token-counting',
  checked: '2026-12-01',
}

/** Hosts of gpt-oss, whose vocabulary o200k_harmony has the texts of o200k. Its chat format adds a preamble; tools add more. */
export const GPT_OSS_TOKENS: CardTokens = {
  vocabulary: { models: ['openai/gpt-oss-*', 'gpt-oss-*'], ratio: 1 },
  added: { request: 256, message: 16, tool: 32, anyTool: 512 },
  parts: { server_tool: 4_096, mcp_server: 16_384 },
  says: 'gpt-oss uses the public vocabulary o200k; of other models a byte may be a token. Assumed: chat templates add at most 256 tokens to a request, 16 to a message, 512 for having tools. Images and files have no limit.',
  source: 'https://github.com/openai/tiktoken (tiktoken/model.py)',
  checked: CHECKED_TOKENS,
}

/** Gemini. countTokens is free, and counts what the request holds, images and files among it. */
export const GEMINI_TOKENS: CardTokens = {
  added: { request: 64, message: 16, tool: 32, anyTool: 512 },
  parts: { server_tool: 4_096 },
  says: "The tokenizer is not public: a byte may be a token. Assumed: at most 4,096 tokens for a tool of the provider's. Images, videos and documents have no limit.",
  source: 'https://ai.google.dev/gemini-api/docs/tokens',
  checked: CHECKED_TOKENS,
}

export const GEMINI_COUNTED: CardTokens = {
  ...GEMINI_TOKENS,
  count: { share: 0.02, tokens: 64 },
  says: `countTokens is free and counts images and files too. Assumed: it is at most 2 % and 64 tokens too low. Without it: ${GEMINI_TOKENS.says}`,
}

/** Gemini on Vertex AI: "no charge or quota restriction", at most 3,000 requests a minute (firebase.google.com/docs/vertex-ai/count-tokens). */
export const GEMINI_COUNTED_BY_VERTEX: CardTokens = {
  ...GEMINI_TOKENS,
  count: { share: 0.02, tokens: 64 },
  says: `countTokens is free and counts images and files too. Assumed: it is at most 2 % and 64 tokens too low, and which functions may be called adds none. Without it: ${GEMINI_TOKENS.says}`,
  source:
    'https://docs.cloud.google.com/gemini-enterprise-agent-platform/reference/rest/v1/projects.locations.publishers.models/countTokens',
  checked: '2026-12-01',
}
