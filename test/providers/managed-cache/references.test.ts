import { describe, expect, it } from 'vitest'
import { geminiReferences } from '../../../src/providers/managed-cache/references.ts'

const { split, refer } = geminiReferences

describe('a body that is cut in two', () => {
  it('leaves the contents of a handle, and the rest with its settings, byte for byte', () => {
    const text = `{ "system_instruction" : {"parts":[{"text":"Be kind."}]}, "generationConfig": {"temperature": 0.50},
      "tools":[{"functionDeclarations":[{"name":"f"}]}], "toolConfig": null, "contents" : [{"role":"user","parts":[{"text":"A catalogue."}]}] }`
    const parts = split(text)
    expect(parts?.contents).toContain('"system_instruction" : {"parts":[{"text":"Be kind."}]}')
    expect(parts?.contents).toContain('"contents" : [{"role":"user","parts":[{"text":"A catalogue."}]}]')
    expect(Object.keys(JSON.parse(parts?.contents ?? '') as object)).toEqual([
      'system_instruction',
      'tools',
      'contents',
    ])
    expect(parts?.rest).toContain('"generationConfig": {"temperature": 0.50}')
    expect(JSON.parse(refer(parts?.rest ?? '', 'cachedContents/x'))).toEqual({
      generationConfig: { temperature: 0.5 },
      contents: [],
      cachedContent: 'cachedContents/x',
    })
  })

  it('has no empty list of turns in its contents', () => {
    const parts = split('{"systemInstruction":{"parts":[{"text":"Be kind."}]},"contents":[]}')
    expect(JSON.parse(parts?.contents ?? '')).toEqual({ systemInstruction: { parts: [{ text: 'Be kind.' }] } })
    expect(JSON.parse(parts?.rest ?? '')).toEqual({ contents: [] })
  })

  it.each(['{}', '{"contents":[]}', '{"systemInstruction":null,"safetySettings":[]}'])('is nothing for %s', (text) => {
    expect(split(text)).toBeNull()
  })
})
