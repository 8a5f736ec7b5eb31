import { afterEditCalls, isAside, NO_TRIAL, readRatio } from '../../../core/ledger/edit-trial.ts'
import type { EditTrial } from '../../../core/ledger/edit-trial.ts'
import type { PrefixState, Transition } from '../../../core/prefix/state.ts'
import { entryModel } from '../../../providers/registry.ts'
import type { EditSeen } from '../../../registration/by-use/lesson.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import { cardById } from '../../../runtime/cards.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** Most pairs of a provider and a model that are compared. */
const MOST_TRIALS = 100

/** Comparisons of calls with our edits and without, by `provider model`. */
type Trials = Record<string, EditTrial>

function editTrials(store: RegistryStore): Trials {
  return JSON.parse(store.setting('edit_trials') ?? '{}') as Trials
}

/** The comparison that a prefix belongs to; undefined: no call to its model asked for an edit. */
export function editTrialOf(store: RegistryStore, record: PrefixRecord): EditTrial | undefined {
  return editTrials(store)[keyOf(record)]
}

function keyOf({ provider, model }: Pick<PrefixRecord, 'provider' | 'model'>): string {
  return `${provider} ${entryModel(cardById(provider) ?? {}, model)}`
}

/** Those of which no body is edited now. */
export function editsAside(store: RegistryStore, now: number): string[] {
  return Object.entries(editTrials(store)).flatMap(([key, trial]) => (isAside(trial, now) ? [key] : []))
}

/** Who changes the state of a prefix. */
interface Scheduler {
  applyTransition: (k: number, now: number, transition: (state: PrefixState) => Transition) => unknown
}

/** Books calls that asked for an edit. Prefixes of `arrivals` whose provider and model lose their edits by these calls get a row in their history. */
export function bookEdits(
  store: RegistryStore,
  { edits, arrivals }: { edits: readonly EditSeen[]; arrivals: readonly { id: string }[] },
  now: number,
  scheduler: Scheduler,
): void {
  if (edits.length === 0) return
  const trials = editTrials(store)
  for (const [key, calls] of Map.groupBy(edits, keyOf)) {
    const known = trials[key]
    if (known === undefined && Object.keys(trials).length >= MOST_TRIALS) continue
    const { trial, steppedAside } = afterEditCalls(known ?? NO_TRIAL, calls, now)
    trials[key] = trial
    if (!steppedAside) continue
    const row = { at: now, type: 'decision' as const, decision: 'edits_stopped', why: editsStoppedWhy(trial) }
    for (const { id } of arrivals) {
      const k = store.prefixes.keyOf('id', id)
      const record = k === null ? null : store.prefixes.record(k)
      if (k !== null && record !== null && keyOf(record) === key)
        scheduler.applyTransition(k, now, (state) => ({ state, rows: [row] }))
    }
  }
  store.saveSetting('edit_trials', JSON.stringify(trials))
}

function editsStoppedWhy({ edited, plain }: EditTrial): string {
  const percent = (groups: EditTrial['plain']): string => `${((readRatio(groups) ?? 0) * 100).toFixed(1)} %`
  return `calls with a marker of the gateway read ${percent(edited)} of their prompts from the cache, and calls without it ${percent(plain)}: none is set for a week`
}
