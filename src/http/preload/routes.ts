import { failureValue, invalid, readFailure } from '../../contract/failure.ts'
import type { FailureValue } from '../../contract/failure.ts'
import { parseWith } from '../../contract/issues.ts'
import { MOST_CREW_BYTES, preloadEnvelope } from '../../contract/preload.ts'
import type { Preload } from '../../contract/preload.ts'
import { warmBody } from '../../contract/warm.ts'
import type { WarmBody } from '../../contract/warm.ts'
import { account } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { clockOf, registryOf, router } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { orderOf, strategyOf } from './crew-order.ts'
import { withHeadsInText, writtenAt } from './heads-in-text.ts'
import type { AdmittedBody } from './heads-in-text.ts'
import { idempotent } from '../server/idempotency.ts'
import { switchTold } from '../server/kill-switch.ts'
import type { Preparation } from '../../registration/prepare.ts'
import { crewJson } from '../present/crew.ts'
import { handleBodyOf, warmHandle } from '../warm/handle.ts'
import { leftToday } from '../server/credential.ts'
import { counted } from '../warm/count.ts'
import { planned, prepared, requireSendable } from '../warm/plan.ts'
import { refuseUnpriced } from '../warm/unpriced.ts'
import { credentialsNamed } from '../server/credential.ts'
import type { KnownCredentials } from '../server/credential.ts'
import { longPoll, FOREGROUND_MS } from '../server/long-poll.ts'
import { WARM_RAW } from '../../registration/json-body.ts'
import type { RawPath } from '../../registration/json-body.ts'

/** The parts of an agent's body that keep their exact text. */
const raw: RawPath = ([first, index, ...path]) => first === 'agents' && typeof index === 'number' && WARM_RAW(path)

export const preload = router().post('/preload', account, idempotent, switchTold, async (c) => {
  const given = await readBody(c, preloadEnvelope, { raw, deep: 5, most: { bytes: MOST_CREW_BYTES, field: 'agents' } })
  const least = given.min_agents ?? 2
  const few = given.agents.length < least
  const why = `nothing is sent for fewer than ${least} agents (min_agents); this crew has ${given.agents.length}`
  const admitted = few ? given.agents.map(() => ({ name: null, skipped: why })) : await admitAll(c, given)
  let crew = await registryOf(c).preload(orderOf(given, admitted))
  if (given.background === true) return c.json(crewJson(crew), crew.finishedAt === null ? 202 : 200)
  const clock = clockOf(c)
  const until = clock.now() + FOREGROUND_MS
  while (crew.finishedAt === null && clock.now() < until) {
    const { id, revision } = crew
    crew =
      (await longPoll(c, until - clock.now(), (registry, left) => registry.crewChanged(id, revision, left))) ?? crew
  }
  return c.json(crewJson(crew), crew.finishedAt === null ? 202 : 200)
})

/** Prepares the agents. The failure of one is its own, and the others are warmed. */
async function admitAll(c: Call, { agents, strategy, min_shared_tokens: minimum }: Preload): Promise<AdmittedBody[]> {
  const read = agents.map((agent, index) => caught(() => parseWith(warmBody, agent, `agents[${index}]`)))
  const names = read.map((one) => ('value' in one ? one.value.credential : undefined))
  const known = await credentialsNamed(c, names)
  const renewals = new Map<string, Promise<unknown>>()
  const leftNanos = await leftToday(c)
  const admitted = await Promise.all(
    read.map(async (one, index): Promise<AdmittedBody> => {
      if ('failure' in one) return { name: null, failure: one.failure }
      const body = one.value
      const name = body.name ?? null
      const handle = await handleOfAgent(c, body, `agents[${index}]`, renewals)
      if (handle !== null) return { name, ...handle }
      if (isEmpty(body)) return { name, skipped: 'it has no system prompt, tools or messages to warm' }
      try {
        const unpriced = body.allow_unpriced === true ? { unpriced: true as const } : {}
        return { name, ...(await admit(c, body, `agents[${index}]`, known, leftNanos)), ...unpriced }
      } catch (thrown) {
        const failure = readFailure(thrown)
        if (failure === null) throw thrown
        return { name, failure }
      }
    }),
  )
  const levelled = withOneRetention(admitted, (body) => prepared(c, body, known))
  const parted =
    strategyOf({ strategy }) === 'shared_prefix'
      ? withHeadsInText(levelled, minimum, (body, systemHead) => prepared(c, body, known, { systemHead }))
      : levelled
  return parted.map((agent, index) => withNameOfItsOwn(agent, index, parted))
}

/** Gives agents of one model the retention of the first, where the planner chooses it: at different ones they share no head. */
function withOneRetention(
  admitted: readonly AdmittedBody[],
  prepareAgain: (body: WarmBody) => Preparation,
): AdmittedBody[] {
  const first = new Map<string, string>()
  return admitted.map((agent) => {
    if (!('preparation' in agent) || agent.preparation.prefix.retentionOpen !== true) return agent
    const { card, prefix } = agent.preparation
    const key = `${card.id} ${prefix.model}`
    const retention = first.get(key) ?? prefix.retention
    first.set(key, retention)
    if (retention === prefix.retention) return agent
    const body = writtenAt(agent.body, retention)
    const preparation = prepareAgain(body)
    const registration = { ...preparation.registration, unmarked: true as const }
    return { ...agent, body, preparation: { ...preparation, registration } }
  })
}

/** Refuses an agent whose label names another content of the crew: the second would replace the first as the label's newest version. */
function withNameOfItsOwn(agent: AdmittedBody, index: number, all: readonly AdmittedBody[]): AdmittedBody {
  const { name } = agent
  if (name === null || !('preparation' in agent)) return agent
  const { fingerprint } = agent.preparation.registration
  const other = all.findIndex((one) => one.name === name && 'preparation' in one)
  const first = all[other]
  if (first === undefined || !('preparation' in first) || first.preparation.registration.fingerprint === fingerprint)
    return agent
  const field = `agents[${index}].name`
  const text = `${field}: is also the label of agents[${other}], whose content differs. Give each agent a different label.`
  return { name, failure: failureValue('invalid_request', text, { field }) }
}

/** An agent that refers to a handle: the handle is renewed once for all of them, and nothing else of it is warmed. Null: it refers to none. */
async function handleOfAgent(
  c: Call,
  body: WarmBody,
  at: string,
  renewals: Map<string, Promise<unknown>>,
): Promise<{ skipped: string } | { failure: FailureValue } | null> {
  try {
    const refers = handleBodyOf(body)
    if (refers === null) return null
    refuseOwnJob(body, at)
    // The label is the agent's, and the handle belongs to all of them.
    const { name: _, ...unnamed } = body
    const key = JSON.stringify([refers.card.id, refers.wanted.name, body.model, body.credential, body.region])
    const shared = renewals.get(key)
    const renewal = shared ?? warmHandle(c, unnamed, refers)
    renewals.set(key, renewal)
    // What stands beside the handle is each agent's own, and refused as such.
    if (shared !== undefined) await warmHandle(c, { ...unnamed, dry_run: true }, refers)
    await renewal
    return { skipped: 'it refers to a handle, which the provider has renewed; a handle is kept as a managed cache' }
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure === null) throw thrown
    return { failure }
  }
}

function refuseOwnJob(body: WarmBody, at: string): void {
  for (const field of ['dry_run', 'background'] as const) {
    if (body[field] === undefined) continue
    throw invalid(`${at}.${field}`, 'is not allowed in an agent, because a crew is warmed as one job')
  }
}

async function admit(
  c: Call,
  body: WarmBody,
  at: string,
  known: KnownCredentials,
  leftNanos: number | null,
): Promise<{ preparation: Preparation; body: WarmBody }> {
  refuseOwnJob(body, at)
  const preparation = planned(c, body, known)
  refuseUnpriced(preparation, { given: body.allow_unpriced, waits: false }, `${at}.allow_unpriced`)
  const required = await requireSendable(c, preparation, known)
  // A required cache without a retention takes the registered one, for the head as well.
  const isRegistered = required === null || required.retention === preparation.prefix.retention
  if (isRegistered) return { preparation: (await counted(c, preparation, leftNanos)).preparation, body }
  const written = writtenAt(body, required.retention)
  return { preparation: (await counted(c, prepared(c, written, known), leftNanos)).preparation, body: written }
}

function isEmpty({ request, system = '', tools = [], messages = [] }: WarmBody): boolean {
  return request === undefined && system === '' && tools.length === 0 && messages.length === 0
}

function caught<Value>(work: () => Value): { value: Value } | { failure: FailureValue } {
  try {
    return { value: work() }
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure === null) throw thrown
    return { failure }
  }
}
