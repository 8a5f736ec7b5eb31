import { Refusal } from '../dialect.ts'
import type { RefusalKind } from '../dialect.ts'
import type { EngineName } from './engines.ts'

type Kind = 'invalid' | 'unauthorized' | 'not_found' | 'too_long' | 'busy' | 'broken'

const STATUS: Record<Kind, number> = {
  invalid: 400,
  unauthorized: 401,
  not_found: 404,
  too_long: 400,
  busy: 503,
  broken: 500,
}

/** Names of errors by engine. */
const TYPES: Record<EngineName, Record<Kind, string>> = {
  'llama-cpp': {
    invalid: 'invalid_request_error',
    unauthorized: 'authentication_error',
    not_found: 'not_found_error',
    too_long: 'exceed_context_size_error',
    busy: 'unavailable_error',
    broken: 'server_error',
  },
  vllm: names('BadRequestError', 'NotFoundError', 'ServiceUnavailableError', 'InternalServerError'),
  sglang: names('BadRequest', 'NotFound', 'ServiceUnavailable', 'InternalServerError'),
  ollama: names('invalid_request_error', 'not_found_error', 'api_error', 'api_error'),
}

function names(invalid: string, notFound: string, busy: string, broken: string): Record<Kind, string> {
  return { invalid, unauthorized: invalid, not_found: notFound, too_long: invalid, busy, broken }
}

/**
 * An engine's own way to say no. llama.cpp: `{error: {code, message, type}}`. vLLM: `{error: {message, type, param, code}}`.
 * SGLang: the same at the top beside `object: "error"`. Ollama: OpenAI's shape with `code: null`. A wrong key at vLLM and SGLang:
 * `{error: "Unauthorized"}`. Sources: ggml-org/llama.cpp tools/server/README.md and #15780; vllm-project/vllm and
 * sgl-project/sglang, entrypoints/openai/protocol.py; ollama/ollama openai/openai.go; checked 2026-11-30.
 */
export function engineRefusal(
  engine: EngineName,
  kind: Kind,
  message: string,
  more: object = {},
  status?: number,
): Refusal {
  const code = status ?? STATUS[kind]
  const type = TYPES[engine][kind]
  const plain = kind === 'unauthorized' && (engine === 'vllm' || engine === 'sglang')
  if (plain) return new Refusal(code, { error: 'Unauthorized' })
  switch (engine) {
    case 'llama-cpp':
      return new Refusal(code, { error: { code, message, type, ...more } })
    case 'vllm':
      return new Refusal(code, { error: { message, type, param: null, code } })
    case 'sglang':
      return new Refusal(code, { object: 'error', message, type, param: null, code })
    case 'ollama':
      return new Refusal(code, { error: { message, type, param: null, code: null } })
  }
}

/** Engines bill nobody and refuse no country; what stands in front of them may. */
export function refuseEngine(
  engine: EngineName,
  kind: RefusalKind,
  options: { retryAfterMs: number; status?: number | undefined },
): Refusal {
  const { status } = options
  switch (kind) {
    case 'rate_limited':
    case 'insufficient_quota':
      return engineRefusal(engine, 'busy', 'Too many requests', {}, 429)
    case 'overloaded':
      return engineRefusal(engine, 'busy', 'Loading model', {}, status)
    case 'server_error':
      return engineRefusal(engine, 'broken', 'Internal server error', {}, status)
    case 'geo_refusal':
      return engineRefusal(engine, 'invalid', 'Forbidden', {}, 403)
  }
}
