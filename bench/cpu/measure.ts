import { readFailure } from '../../src/contract/failure.ts'
import { warmBody } from '../../src/contract/warm.ts'
import { parseBody, WARM_RAW } from '../../src/registration/json-body.ts'
import { prepareWarm, registrationOf } from '../../src/registration/prepare.ts'
import type { HostileBody } from './bodies.ts'

const NOW = Date.UTC(2026, 10, 21)

/** What one body costs, from its text to what would be stored. */
export interface Measured {
  cpuMs: number
  /** The kind and field of its refusal, or `taken`. */
  end: string
}

/** Does all that a request computes before it stores or sends something. */
export function measured({ text }: HostileBody): Measured {
  const before = process.cpuUsage()
  let end = 'taken'
  try {
    registrationOf(prepareWarm(parseBody(text, warmBody, WARM_RAW), NOW))
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure === null) throw thrown
    end = `${failure.kind} ${String(failure.detail?.['field'] ?? '')}`
  }
  const { user, system } = process.cpuUsage(before)
  return { cpuMs: (user + system) / 1_000, end }
}
