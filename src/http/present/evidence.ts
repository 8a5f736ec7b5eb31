import { callsOf, isAside, readRatio } from '../../core/ledger/edit-trial.ts'
import type { EditTrial } from '../../core/ledger/edit-trial.ts'
import type { Advice } from '../../core/model/advice.ts'
import type { ServedModel } from '../../core/prefix/parts.ts'
import type { PrefixState } from '../../core/prefix/state.ts'
import type { PrefixView } from '../../durable/registry/records/prefix-view.ts'
import { alarmsJson } from './alarm.ts'
import { iso } from './format.ts'

type Told = Pick<PrefixState, 'servedModel' | 'probeServedModel'>

/** What answers showed of a prefix beside its warmth. */
export function evidenceJson(view: Pick<PrefixView, 'record' | 'state' | 'edits' | 'now'>) {
  const { state, edits, now } = view
  return { served_model: servedModelJson(state), edits: editsJson(edits, now), alarms: alarmsJson(view) }
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
