import { Failure, readFailure } from '../../contract/failure.ts'
import { prefixDiagnoseBody } from '../../contract/diagnosis.ts'
import { diagnosePrefix } from '../../diagnosis/diagnose-prefix.ts'
import type { DiagnosisJson } from '../../diagnosis/diagnose.ts'
import type { PrefixState } from '../../core/prefix/state.ts'
import { withMarkers } from '../../providers/prefix/with-markers.ts'
import type { RawPath } from '../../registration/json-body.ts'
import { retentionInForce } from '../../registration/record.ts'
import { unpack } from '../../runtime/bytes.ts'
import { cardById, REMOVED } from '../../runtime/cards.ts'
import { clockOf, registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { readBody } from '../server/read-body.ts'

const raw: RawPath = (path) => path.length === 1 && path[0] === 'request'

/** Holds a request against a registered prefix, and says why it missed. Throws `not_found` where its body was erased, and nothing is kept of it. */
export async function diagnoseAgainst(c: Call, id: string): Promise<DiagnosisJson> {
  const given = await readBody(c, prefixDiagnoseBody, { raw })
  const registry = registryOf(c)
  const { record, state } = await registry.view(id)
  const card = cardById(record.provider)
  if (card === undefined)
    throw new Failure('forbidden', `The prefix cannot be compared: ${REMOVED}.`, { prefix_id: id })
  const { model, cacheKey, headers = {}, credential } = record
  const sent = { headers, credential, ...lastUse(state, given.started_at ?? null) }
  const retention = retentionInForce(record, state)
  const body = await registry.body(id).then(
    (bytes) => {
      const stored = unpack(bytes)
      return { text: withMarkers(card, stored, retention) ?? stored }
    },
    async (thrown: unknown) => {
      const kept = readFailure(thrown)?.kind === 'not_found' ? await registry.keptSketch(id) : null
      if (kept === null) throw thrown
      return kept
    },
  )
  return diagnosePrefix({ card, body, model, cacheKey, sent }, given, clockOf(c).now())
}

/** The last use of an entry that lies before a request, and the usage of the last answer about it, where they are known. */
function lastUse({ anchorAt, lastReceipt }: PrefixState, startedAt: number | null) {
  const uses = [anchorAt, lastReceipt?.at ?? null].filter((at) => at !== null)
  const before = uses.filter((at) => startedAt === null || at < startedAt)
  const at = before.length === 0 ? null : Math.max(...before)
  const usage = lastReceipt?.rawUsage
  return {
    ...(at === null ? {} : { started_at: at }),
    ...(usage === undefined ? {} : { usage: JSON.parse(usage) as Record<string, unknown> }),
  }
}
