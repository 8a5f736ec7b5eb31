import type { FailureValue } from '../../contract/failure.ts'

/** The failure of every call, except a list, that names a provider without managed caches. */
export function withoutManagedCaches(card: { id: string; name: string }): FailureValue {
  return {
    kind: 'unsupported',
    message: `${card.name} has no managed caches; GET /providers lists providers that do (supports_handles).`,
    detail: { field: 'provider', provider: card.id },
  }
}
