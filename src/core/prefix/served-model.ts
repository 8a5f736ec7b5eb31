import type { ServedModel } from './parts.ts'
import type { PrefixState, Transition } from './state.ts'

/** What an answer says of its model: the name of another one than was asked for, or `true` for the one that was. */
export type Served = string | true

/** Longest name that is kept. */
const MOST_CHARACTERS = 200

/** A name of a model as answers may have it; null: it is none. */
export function modelName(value: unknown): string | null {
  return typeof value === 'string' && value.length <= MOST_CHARACTERS && /^[\w.:@/+-]+$/.test(value) ? value : null
}

/** The state after an answer that names its model. `by`: whose call it was. Undefined: the answer named none. */
export function afterServed(
  before: PrefixState,
  served: Served | undefined,
  at: number,
  by: 'requests' | 'probes',
): Transition {
  const key = by === 'requests' ? 'servedModel' : 'probeServedModel'
  const known = before[key]
  if (served === undefined || (served === true && known === undefined)) return { state: before, rows: [] }
  const whose = by === 'requests' ? 'real requests' : 'our own calls'
  if (served === true) {
    // A call that is told late says nothing of now.
    if (known === undefined || at < known.lastAt) return { state: before, rows: [] }
    const { [key]: _over, ...state } = before
    const why = `the model that was asked for answers ${whose} again`
    return { state, rows: [{ at, type: 'decision', decision: 'asked_model_served', why }] }
  }
  const isNew = known === undefined || known.model !== served
  const after: ServedModel = {
    model: served,
    sinceAt: isNew ? at : Math.min(known.sinceAt, at),
    lastAt: Math.max(known?.lastAt ?? 0, at),
    answers: isNew ? 1 : known.answers + 1,
  }
  const why = `${served} answered ${whose}, and not the model that was asked for`
  const rows = isNew ? [{ at, type: 'decision' as const, decision: 'other_model_served', why }] : []
  return { state: { ...before, [key]: after }, rows }
}
