import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { cacheCreation } from '../../src/contract/caches.ts'
import { readFailure } from '../../src/contract/failure.ts'
import { diagnoseBody } from '../../src/contract/diagnosis.ts'
import { newBot } from '../../src/contract/bot.ts'
import { observations } from '../../src/contract/observation.ts'
import { preloadEnvelope } from '../../src/contract/preload.ts'
import { parseWith } from '../../src/contract/issues.ts'
import { warmBody } from '../../src/contract/warm.ts'
import { contentsOf } from '../../src/http/caches/contents.ts'
import { withHeadsInText } from '../../src/http/preload/heads-in-text.ts'
import type { AdmittedBody } from '../../src/http/preload/heads-in-text.ts'
import { MOST_CREW_BYTES } from '../../src/contract/preload.ts'
import { estimateTokens } from '../../src/core/prompt/tokens.ts'
import { DIAGNOSE_RAW, diagnoseRequests } from '../../src/diagnosis/diagnose.ts'
import { noTemplateWork } from '../../src/core/prompt/template.ts'
import { withMarkers } from '../../src/providers/prefix/with-markers.ts'
import { boundOf } from '../../src/providers/tokens/bound.ts'
import { checkedBeginning } from '../../src/registration/beginning.ts'
import { parseBody, tooLargeFailure, WARM_RAW } from '../../src/registration/json-body.ts'
import { handleOf, observedBody, usageOf, wrongCount } from '../../src/registration/observation.ts'
import { prepareWarm, registrationOf } from '../../src/registration/prepare.ts'
import { cardById } from '../../src/runtime/cards.ts'
import type { BodyRoute } from './every-route.ts'
import type { HostileBody, Route } from './parts.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** The most of a bot's history, which holds its system prompt. */
const MOST_HISTORY_TOKENS = 200_000

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
  diagnose: (text) => void diagnoseRequests(parseBody(text, diagnoseBody, DIAGNOSE_RAW), NOW),
  bots: (text) => {
    const { provider = 'anthropic', system_prompt: system } = parseBody(text, newBot)
    const card = cardById(provider)
    if (card === undefined || system === undefined) return
    if (estimateTokens(system) <= MOST_HISTORY_TOKENS)
      checkedBeginning(card, { neutral: { system }, systemAt: '/system_prompt', at: '' } as never, 'advise')
  },
  preload: (text) => {
    if (Buffer.byteLength(text) > MOST_CREW_BYTES) throw tooLargeFailure('agents', MOST_CREW_BYTES, 'agents')
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

/** The kinds of computing, by route; of the others all is to read the body against its schema. */
const computing: Record<string, Route> = {
  'POST /warm': 'warm',
  'POST /render': 'render',
  'POST /observations': 'observations',
  'POST /caches': 'caches',
  'POST /preload': 'preload',
  'POST /diagnose': 'diagnose',
  'POST /bots': 'bots',
}

/** Does what `POST /warm` and others compute before they store or send something. */
export function measured({ route, text }: HostileBody): Measured {
  collectGarbage() // what the bench made before is no part of it
  return costOf(() => compute[route](text))
}

/** The same for any route, by its name in the API. */
export function measuredAt({ name, body }: BodyRoute, text: string): Measured {
  const kind = computing[name]
  collectGarbage() // that of the body before is no part of it
  return costOf(() => (kind === undefined ? void parseBody(text, body) : compute[kind](text)))
}

function costOf(work: () => void): Measured {
  const before = process.cpuUsage()
  let end = 'taken'
  try {
    work()
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure === null) throw thrown
    end = `${failure.kind} ${String(failure.detail?.['field'] ?? '')}`
  }
  const { user, system } = process.cpuUsage(before)
  return { cpuMs: (user + system) / 1_000, end }
}
