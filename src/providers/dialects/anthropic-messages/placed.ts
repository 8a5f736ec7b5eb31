import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import { member } from '../../../core/prompt/json-text.ts'
import { invalid, readBody } from '../shared/body.ts'
import type { Wire } from '../../wire.ts'
import type { ProbeRequest } from '../../dialect.ts'

/**
 * A request as its provider takes it: with model and version where that provider has them. Source for the version in the body:
 * platform.claude.com, Claude on Vertex AI, checked 2026-11-30.
 */
export function placed(
  request: ProbeRequest,
  model: string,
  { version, versionInBody }: Pick<Wire, 'version' | 'versionInBody'>,
): ProbeRequest {
  if (versionInBody === null) return { ...request, path: version + request.path }
  if (!/^[\w.@-]{1,200}$/.test(model))
    throw invalid('model', 'may hold letters, digits, dots, hyphens, underscores and an @')
  const { root } = readBody(request.body)
  const edits = objectEdits(root, {
    model: null,
    ...(member(root, 'anthropic_version') === undefined ? { anthropic_version: JSON.stringify(versionInBody) } : {}),
  })
  const method = member(root, 'stream')?.type === 'true' ? 'streamRawPredict' : 'rawPredict'
  return { ...request, path: `/${model}:${method}`, body: edit(request.body, edits) }
}
