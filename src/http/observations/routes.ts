import { Failure, invalid, readFailure } from '../../contract/failure.ts'
import type { FailureValue } from '../../contract/failure.ts'
import { fieldPath } from '../../contract/issues.ts'
import { MOST_TOKENS, observations as observationsBody } from '../../contract/observation.ts'
import type { Arrival } from '../../core/events/arrived.ts'
import { cardById } from '../../runtime/cards.ts'
import { placeOf } from '../../runtime/env.ts'
import { account } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { clockOf, registryOf, router } from '../server/context.ts'
import { idempotent } from '../server/idempotency.ts'
import { failureJson } from '../present/format.ts'
import { credentialsNamed } from '../server/credential.ts'
import type { RawPath } from '../../registration/json-body.ts'
import { observedFingerprint, usageOf, wrongCount } from '../../registration/observation.ts'

const raw: RawPath = (path) => path.length === 2 && path[1] === 'request'

/** One observation: the prefix that it names, or why it was refused. */
type ReadObservation = {
  prefixId: string | null
  provider: string | null
  arrival: Arrival | null
  refused: FailureValue | null
}

export const observations = router().post('/observations', account, idempotent, async (c) => {
  const given = await readBody(c, observationsBody, { raw })
  const registry = registryOf(c)
  const now = clockOf(c).now()
  const credentials = await credentialsNamed(
    c,
    given.map(({ credential }) => credential),
  )
  const fingerprints = given.map((one, index) =>
    attempt(() => observedFingerprint(one, index, now, credentials, (card) => placeOf(card, c.env))),
  )
  const wanted = [
    ...new Set(fingerprints.flatMap((fingerprint) => (typeof fingerprint === 'string' ? [fingerprint] : []))),
  ]
  const idByFingerprint = new Map(Object.entries(wanted.length === 0 ? {} : await registry.idsOf(wanted)))
  const ids = [
    ...new Set([
      ...idByFingerprint.values(),
      ...given.flatMap(({ prefix_id }) => (prefix_id === undefined ? [] : [prefix_id])),
    ]),
  ]
  const providers = new Map(Object.entries(ids.length === 0 ? {} : await registry.providersOf(ids)))

  const readings = given.map((one, index): ReadObservation => {
    const fingerprint = fingerprints[index] ?? null
    if (fingerprint !== null && typeof fingerprint !== 'string') return refusedItem(fingerprint)
    const wrong = wrongCount(one.usage)
    if (wrong !== null) {
      const field = fieldPath(wrong, `[${index}].usage`)
      return refusedItem(invalid(field, `must be a whole number of tokens, from 0 to ${MOST_TOKENS}`).value)
    }
    const prefixId = one.prefix_id ?? idByFingerprint.get(fingerprint ?? '') ?? null
    // The registration names the wire format: a vendor's one name may stand for two.
    const provider = providers.get(prefixId ?? '') ?? null
    // Nothing can be read of a provider that was removed, and nothing is kept warm there.
    if (prefixId === null || provider === null || cardById(provider) === undefined)
      return { prefixId, provider, arrival: null, refused: null }
    const usage = attempt(() => usageOf(provider, one.usage, `[${index}].usage`))
    if ('kind' in usage) return refusedItem(usage)
    return {
      prefixId,
      provider,
      refused: null,
      arrival: { startedAt: one.started_at, usage, ttftMs: one.ttft_ms == null ? null : Math.round(one.ttft_ms) },
    }
  })
  const refused = readings.flatMap((one) => (one.refused === null ? [] : [one.refused]))
  // No observation could be read: the whole call fails.
  if (refused[0] !== undefined && refused.length === readings.length) {
    throw new Failure(refused[0].kind, refused[0].message, refused[0].detail)
  }
  const groups = new Map<string, Arrival[]>()
  for (const { prefixId, arrival } of readings) {
    if (prefixId !== null && arrival !== null) groups.set(prefixId, [...(groups.get(prefixId) ?? []), arrival])
  }
  const observed = [...groups].map(([id, arrivals]) => ({ id, arrivals }))
  const known = observed.length === 0 ? [] : await registry.observe(observed)
  const matched = new Set(observed.flatMap(({ id }, index) => (known[index] === true ? [id] : [])))
  return c.json({
    data: readings.map(({ prefixId, refused: failure, arrival }) => ({
      prefix_id: prefixId,
      matched: prefixId !== null && arrival !== null && matched.has(prefixId),
      ...(failure === null ? {} : { error: failureJson(failure) }),
    })),
    next_cursor: null,
  })
})

function refusedItem(refused: FailureValue): ReadObservation {
  return { prefixId: null, provider: null, arrival: null, refused }
}

/** The result of `work`, or its `Failure` as a value. Other errors are thrown. */
function attempt<Value>(work: () => Value): Value | FailureValue {
  try {
    return work()
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure === null) throw thrown
    return failure
  }
}
