import { callsOf, isAside, readRatio } from '../../core/ledger/edit-trial.ts'
import type { EditTrial } from '../../core/ledger/edit-trial.ts'
import { ttlReceipt } from '../../core/cache/ttl.ts'
import { SECOND_MS } from '../../core/time/time.ts'
import type { Advice } from '../../core/model/advice.ts'
import type { ServedModel } from '../../core/prefix/parts.ts'
import type { PrefixState } from '../../core/prefix/state.ts'
import type { PrefixView } from '../../durable/registry/records/prefix-view.ts'
import { factsModelOf, isUnmarked } from '../../registration/record.ts'
import type { PrefixRecord } from '../../registration/record.ts'
import { factsOf } from '../../runtime/facts.ts'
import { alarmsJson } from './alarm.ts'
import { durationJson, iso } from './format.ts'

type Told = Pick<PrefixState, 'servedModel' | 'probeServedModel'>

/** What answers showed of a prefix beside its warmth. */
export function evidenceJson(view: Pick<PrefixView, 'record' | 'state' | 'edits' | 'now'>) {
  const { record, state, edits, now } = view
  return {
    ttl: ttlJson(record, state, now),
    served_model: servedModelJson(state),
    edits: editsJson(edits, now),
    alarms: alarmsJson(view),
  }
}

function ttlJson(record: PrefixRecord, state: PrefixState, now: number) {
  const { retentions } = factsOf(record.provider, factsModelOf(record), now)
  const wished = isUnmarked(record) ? undefined : retentions.find(({ name }) => name === record.retention)
  const askedMs = wished === undefined || wished.assumed ? null : wished.ttlMs
  const { asked, sent, honoured, observed, why } = ttlReceipt(state, askedMs)
  const both = ({ requests, probes }: typeof asked) => ({ requests: length(requests), probes: length(probes) })
  return {
    asked: both(asked),
    sent: both(sent),
    honoured: both(honoured),
    observed: { alive_after: length(observed.aliveAfter), gone_after: length(observed.goneAfter) },
    why,
  }
}

/** A duration, to the second. */
function length(ms: number | null): string | null {
  return ms === null ? null : durationJson(Math.max(SECOND_MS, Math.floor(ms / SECOND_MS) * SECOND_MS))
}

function editsJson(trial: EditTrial | undefined, now: number) {
  if (trial === undefined) return null
  const arm = (groups: EditTrial['plain']) => ({ calls: callsOf(groups), read_ratio: readRatio(groups) })
  const { edited, plain, asideAt = null } = trial
  return { edited: arm(edited), unedited: arm(plain), stopped_at: isAside(trial, now) ? iso(asideAt) : null }
}

function servedModelJson({ servedModel, probeServedModel }: Told) {
  if (servedModel === undefined && probeServedModel === undefined) return null
  return { requests: oneJson(servedModel), probes: oneJson(probeServedModel) }
}

function oneJson(served: ServedModel | undefined) {
  if (served === undefined) return null
  const { model, sinceAt, lastAt, answers } = served
  return { model, since: iso(sinceAt), last_at: iso(lastAt), answers }
}

/** Told while another model than was asked for answers. */
export function evidenceAdvice({ servedModel, probeServedModel }: Told): Advice[] {
  const one = servedModel ?? probeServedModel
  if (one === undefined) return []
  const whose = servedModel === undefined ? 'our own calls' : 'real requests'
  return [
    {
      cause: 'other_model_served',
      severity: 'warning',
      message: `Since ${iso(one.sinceAt)}: ${one.model} answers ${whose}, and not the model that they ask for. Models share no cache, so that such answers say nothing of this prefix.`,
      fix: 'Ask for the model that answers, or turn off what replaces it: a fallback at the provider, a router, an alias.',
    },
  ]
}
