/** The model that a path names, where Gemini, Vertex and Bedrock have it; null for other providers. */
export function modelIn(address: string): string | null {
  const found =
    /\/models?\/([^/:?]+)(?::(?:streamG|g)enerateContent|:(?:streamR|r)awPredict|\/converse|\/invoke)/.exec(address) ??
    /\/model\/([^/?]+)\/(?:converse|invoke)/.exec(address)
  if (found?.[1] === undefined) return null
  try {
    return decodeURIComponent(found[1])
  } catch {
    return null
  }
}
