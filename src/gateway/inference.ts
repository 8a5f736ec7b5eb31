/** Methods that go on to a provider. TRACE is none: its answer would show the caller which key was sent. */
export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Calls to models, in every format: nothing that lists, reads or deletes what other accounts keep at the provider under the same key. */
const INFERENCE =
  /\/(?:messages(?:\/count_tokens)?|responses(?:\/input_tokens)?|(?:chat\/)?completions|embeddings|converse(?:-stream)?|invoke(?:-with-response-stream)?)$|:(?:generateContent|streamGenerateContent|countTokens|embedContent|rawPredict|streamRawPredict)$/

/**
 * Those among them whose prompts are read here: nothing that counts or embeds. Bedrock's InvokeModel carries the format of each vendor, which no card
 * describes.
 */
const CACHED =
  /\/(?:messages|responses|(?:chat\/)?completions|converse(?:-stream)?)$|:(?:generateContent|streamGenerateContent)$|(?<!\/count-tokens):(?:rawPredict|streamRawPredict)$/

export function isInference(method: string, path: string): boolean {
  return method === 'POST' && INFERENCE.test(path)
}

/** Whether an answer may tell what a call read from a cache. */
export function mayTellUsage(method: string, path: string): boolean {
  return method === 'POST' && CACHED.test(path)
}
