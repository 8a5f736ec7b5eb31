import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { cacheCreation } from '../../src/contract/caches.ts'
import { readFailure } from '../../src/contract/failure.ts'
import { observations } from '../../src/contract/observation.ts'
import { preloadEnvelope } from '../../src/contract/preload.ts'
import { parseWith } from '../../src/contract/issues.ts'
import { warmBody } from '../../src/contract/warm.ts'
import { contentsOf } from '../../src/http/caches/contents.ts'
import { withHeadsInText } from '../../src/http/preload/heads-in-text.ts'
import type { AdmittedBody } from '../../src/http/preload/heads-in-text.ts'
import { noTemplateWork } from '../../src/core/prompt/template.ts'
import { withMarkers } from '../../src/providers/prefix/with-markers.ts'
import { boundOf } from '../../src/providers/tokens/bound.ts'
import { parseBody, WARM_RAW } from '../../src/registration/json-body.ts'
import { handleOf, observedBody, usageOf, wrongCount } from '../../src/registration/observation.ts'
import { prepareWarm, registrationOf } from '../../src/registration/prepare.ts'
import { cardById } from '../../src/runtime/cards.ts'
import type { HostileBody, Route } from './parts.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const NOW = Date.UTC(2026, 10, 21)

/** What one body costs, from its text to what would be stored or answered. */
export interface Measured {
  cpuMs: number
  /** The kind and field of its refusal, or `taken`. */
  end: string
}

/** All that each route computes before it stores or sends something. */
const compute: Record<Route, (text: string) => void> = {
  warm: (text) => void registrationOf(prepareWarm(parseBody(text, warmBody, WARM_RAW), NOW)),
  render: (text) => {
    const { card, prefix } = prepareWarm(parseBody(text, warmBody, WARM_RAW), NOW, { anySize: true })
    withMarkers(card, prefix.text, prefix.retention)
  },
  observations: (text) => {
    const given = parseBody(text, observations, (path) => path.length === 2 && path[1] === 'request')
    given.forEach((one, index) => {
      handleOf(one)
      observedBody(one, index, NOW, new Map(), () => null)?.sought()
      if (wrongCount(one.usage) === null) usageOf(one.provider ?? 'anthropic', one.usage, 'usage')
    })
  },
  caches: (text) => {
    const given = parseBody(text, cacheCreation, WARM_RAW)
    const card = cardById(given.provider)!
    const prepared = contentsOf(card, given)
    boundOf(card, prepared.model, prepared.text)
  },
  preload: (text) => {
    const raw = ([first, index, ...path]: readonly (string | number)[]): boolean =>
      first === 'agents' && typeof index === 'number' && WARM_RAW(path)
    const { agents } = parseBody(text, preloadEnvelope, raw, 5)
    const templateWork = noTemplateWork()
    const admitted = agents.map((agent): AdmittedBody => {
      const body = parseWith(warmBody, agent, 'agents')
      return { name: null, body, preparation: prepareWarm(body, NOW, { templateWork }) } as AdmittedBody
    })
    withHeadsInText(admitted, undefined, (body, systemHead) => prepareWarm(body, NOW, { systemHead, templateWork }))
  },
}

/** Does all that a request computes before it stores or sends something. */
export function measured({ route, text }: HostileBody): Measured {
  collectGarbage() // what the bench made before is no part of it
  const before = process.cpuUsage()
  let end = 'taken'
  try {
    compute[route](text)
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure === null) throw thrown
    end = `${failure.kind} ${String(failure.detail?.['field'] ?? '')}`
  }
  const { user, system } = process.cpuUsage(before)
  return { cpuMs: (user + system) / 1_000, end }
}
