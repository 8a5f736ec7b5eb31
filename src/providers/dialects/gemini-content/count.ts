import { objectEdits } from '../../../core/prompt/json-edit.ts'
import { edit } from '../../../core/prompt/json-edit.ts'
import { readBody } from '../shared/body.ts'
import type { CountFormat, ProbeRequest } from '../../dialect.ts'

/** Counts the probe that `probeOf` writes. Source: `CountTokensRequest` of ai.google.dev/api/tokens; checked 2026-11-30. */
export function countTokens(probeOf: (prefix: Parameters<CountFormat['request']>[0]) => ProbeRequest): CountFormat {
  return {
    request(prefix) {
      const { path, body } = probeOf(prefix)
      const { root } = readBody(body)
      const resource = path.slice(path.indexOf('models/')).replace(/:generateContent$/, '')
      const inner = edit(body, objectEdits(root, { model: JSON.stringify(resource) }))
      return { path: path.replace(/:generateContent$/, ':countTokens'), body: `{"generateContentRequest":${inner}}` }
    },
    member: 'totalTokens',
  }
}
