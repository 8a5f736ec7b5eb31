import { Failure, readFailure } from '../contract/failure.ts'
import type { Finding } from '../core/model/advice.ts'
import type { Card } from '../providers/card.ts'
import type { Fault, NativeRequest, PreparedPrefix } from '../providers/dialect.ts'
import { dialectOf } from '../providers/registry.ts'
import { factsOf } from '../runtime/facts.ts'
import { cut } from './native.ts'

/** Faults of one body that are told. */
const MOST = 20

/** A body cut where its prefix ends, and what its provider is known to refuse in it. */
export interface CheckedCut {
  prefix: PreparedPrefix
  faults: readonly Fault[]
}

/**
 * Cuts a body and looks for faults. A fault behind the end of the prefix is never sent by us: an empty text there stands for the
 * question, and is none. Throws as `cut` does, and names a fault where that is why.
 */
export function checkedCut(card: Card, native: NativeRequest, now: number, baseModel?: string): CheckedCut {
  const { faults: find } = dialectOf(card)
  const found = (text: string, model: string): Fault[] => find?.(text, factsOf(card.id, baseModel ?? model, now)) ?? []
  let prefix: PreparedPrefix
  try {
    prefix = cut(card, native, now, baseModel)
  } catch (thrown) {
    if (readFailure(thrown)?.kind !== 'invalid_request') throw thrown
    refuseFaults(faultsOf(() => found(native.text, native.model ?? '')))
    throw thrown
  }
  const sent = found(prefix.text, prefix.model)
  const isSent = ({ path, cause }: Fault): boolean => sent.some((one) => one.path === path && one.cause === cause)
  const behind = found(native.text, prefix.model)
    .filter((fault) => fault.cause !== 'empty_text' && !isSent(fault))
    .map((fault) => ({ ...fault, refused: false }))
  return { prefix, faults: [...sent, ...behind] }
}

/** Faults of a body that could not be cut. It may be no JSON object at all, which `cut` has said already. */
function faultsOf(find: () => Fault[]): Fault[] {
  try {
    return find()
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return []
  }
}

/** Refuses a body that its provider would refuse, before anything is sent or stored. The failure quotes nothing of the prompt. */
export function refuseFaults(faults: readonly Fault[], isNeutral = false): void {
  const refused = faults.filter((fault) => fault.refused)
  const [first] = refused
  if (first === undefined) return
  const field = fieldOf(first, isNeutral)
  const others = refused.length === 1 ? '' : ` ${refused.length - 1} more in detail.findings.`
  throw new Failure('invalid_request', `${field}: ${first.what}. ${first.fix}${others}`, {
    field,
    cause: first.cause,
    findings: refused.slice(0, MOST).map((fault) => `${fault.cause} ${fieldOf(fault, isNeutral)}`),
  })
}

/** Faults as findings, with places in what the caller wrote. */
export function faultFindings(faults: readonly Fault[], isNeutral: boolean): Finding[] {
  return faults.slice(0, MOST).map((fault) => ({
    cause: fault.cause,
    severity: 'warning',
    message: `${fault.path}: ${fault.what}.`,
    fix: fault.fix,
    at: pointerOf(fieldOf(fault, isNeutral)),
  }))
}

/** The field that the caller wrote. In the neutral form a message is one text, whatever it was rendered to. */
function fieldOf({ path }: Fault, isNeutral: boolean): string {
  if (!isNeutral) return `request.${path}`
  const [setting] = /thinking(?:\.budget_tokens)?/.exec(path) ?? []
  if (setting !== undefined) return setting
  const [, index] = /^\w+\[(\d+)\]/.exec(path) ?? []
  return index === undefined ? 'request' : `messages[${index}].content`
}

function pointerOf(path: string): string {
  return `/${path.replaceAll(/\[(\d+)\]/g, '.$1').replaceAll('.', '/')}`
}
