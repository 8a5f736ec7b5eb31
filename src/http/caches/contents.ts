import type { CacheCreation } from '../../contract/caches.ts'
import { Failure, invalid, readFailure } from '../../contract/failure.ts'
import { edit, objectEdits } from '../../core/prompt/json-edit.ts'
import type { Card } from '../../providers/card.ts'
import { readBody } from '../../providers/dialects/shared/body.ts'
import type { ManagedCacheDialect, PreparedManagedCache } from '../../providers/managed-cache/dialect.ts'
import { withoutManagedCaches } from '../../providers/managed-cache/unsupported.ts'
import { dialectOf } from '../../providers/registry.ts'
import { MAX_PREFIX_BYTES, tooLargeFailure } from '../../registration/json-body.ts'
import type { Beginning } from '../../registration/beginning.ts'
import { neutralTool } from '../../registration/neutral/form.ts'

/** How a provider's managed caches are called. Throws `unsupported` for a provider that has none. */
export function supported(card: Card): ManagedCacheDialect {
  if (card.managedCaches !== undefined) return card.managedCaches
  const { kind, message, detail } = withoutManagedCaches(card)
  throw new Failure(kind, message, detail)
}

/** The contents of a new managed cache, given in the provider's own form or in the neutral one. */
export function contentsOf(card: Card, given: CacheCreation): PreparedManagedCache {
  const dialect = supported(card)
  const { request, model, system, tools, messages } = given
  if (request !== undefined) {
    const beside = (['system', 'tools', 'messages'] as const).find((name) => given[name] !== undefined)
    if (beside !== undefined) throw invalid(beside, 'must be absent if request is given, because request is the whole')
    return limited(dialect.prepare(request.text, model), 'request')
  }
  if (system === undefined && tools === undefined && messages === undefined) {
    throw invalid('request', 'is missing; give the contents in the form of the provider, or system, tools and messages')
  }
  if (model === undefined) throw invalid('model', 'is missing')
  if ((system ?? '').trim() === '' && (tools ?? []).length === 0 && (messages ?? []).length === 0) {
    throw invalid(system === undefined ? 'messages' : 'system', 'is empty, so there is nothing to keep')
  }
  const text = dialectOf(card).render({
    model,
    ...(system === undefined ? {} : { system }),
    ...(tools === undefined ? {} : { tools: tools.map(neutralTool) }),
    ...(messages === undefined ? {} : { messages }),
  })
  const { root } = readBody(text)
  // A creation without turns has no list of them: an empty one would be other contents than none.
  const whole = (messages ?? []).length === 0 ? edit(text, objectEdits(root, { contents: null })) : text
  try {
    return limited(dialect.prepare(whole, model), '')
  } catch (thrown) {
    throw withoutRequest(thrown)
  }
}

/** A refusal of the rendered text, about the field that the caller gave. */
function withoutRequest(thrown: unknown): unknown {
  const failure = readFailure(thrown)
  const field = failure?.detail?.['field']
  if (failure === null || typeof field !== 'string' || !field.startsWith('request.')) return thrown
  const own = field.slice('request.'.length)
  return new Failure(failure.kind, failure.message.replace(field, own), { ...failure.detail, field: own })
}

function limited(prepared: PreparedManagedCache, field: string): PreparedManagedCache {
  if (Buffer.byteLength(prepared.text) > MAX_PREFIX_BYTES)
    throw tooLargeFailure('The contents', MAX_PREFIX_BYTES, field)
  return prepared
}

/** What lint looks at: the contents as the caller wrote them. */
export function beginningOf({ request, system, tools, messages }: CacheCreation): Beginning {
  if (request !== undefined) return { native: request.text, at: '/request' }
  const neutral = {
    ...(system === undefined ? {} : { system }),
    ...(tools === undefined ? {} : { tools: tools.map(neutralTool) }),
    ...(messages === undefined ? {} : { messages }),
  }
  return { neutral, systemAt: '/system' }
}
