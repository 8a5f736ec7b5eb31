import type { Arrival } from '../core/events/arrived.ts'
import { openedMessage } from '../gateway/message/sealed.ts'
import { retentionsAt } from '../gateway/message/retentions.ts'
import { unpacked } from '../gateway/observation.ts'
import type { ObservationMessage, Seen, SeenEnd } from '../gateway/observation.ts'
import type { AgentCall, EditSeen, Lesson } from '../registration/by-use/lesson.ts'
import type { PassedCall } from '../registration/misses/passed-call.ts'
import { shortHash } from '../providers/prefix/outline.ts'
import { cardById } from '../runtime/cards.ts'
import type { Environment } from '../runtime/env.ts'
import { registryAt } from '../runtime/objects.ts'

type RegistryStub = ReturnType<Environment['REGISTRY']['getByName']>

type Registered = Record<string, { provider: string; routing?: string }>

/** Most hashes that one call looks up. */
const LOOKED_UP = 20_000

/**
 * Consumes observations of calls through the gateway: what `POST /observations` takes, many to a message and without bodies. All messages of a
 * batch are one write for each account. A message that comes twice is booked once.
 */
export async function consumeObservations(batch: MessageBatch<unknown>, env: Environment): Promise<void> {
  const read = batch.messages.map((message) => ({ message, content: openedMessage(message.body, env) }))
  for (const { message, content } of read) {
    if (content !== null) continue
    console.error('observation queue: a message in an unknown format was dropped')
    message.ack()
  }
  const known = read.flatMap(({ message, content }) => (content === null ? [] : [{ message, content }]))
  const accounts = [...new Set(known.flatMap(({ content }) => content.groups.map(({ account }) => account)))]
  const failed = new Set<string>()
  await Promise.all(
    accounts.map(async (account) => {
      try {
        await book(
          account,
          known.map(({ content }) => content),
          env,
        )
      } catch (thrown) {
        console.error('observation queue: an account failed', thrown instanceof Error ? thrown.name : 'unknown')
        failed.add(account)
      }
    }),
  )
  for (const { message, content } of known) {
    // The accounts that have it know its number.
    if (content.groups.some(({ account }) => failed.has(account))) message.retry({ delaySeconds: 10 })
    else message.ack()
  }
}

/** Books what the messages say of one account. */
async function book(account: string, messages: readonly ObservationMessage[], env: Environment): Promise<void> {
  const registry = registryAt(env, account)
  const parts = messages.flatMap(({ id, groups }) =>
    groups.filter((group) => group.account === account).map((group) => ({ message: id, calls: unpacked(group) })),
  )
  const calls = parts.flatMap((part) => part.calls)
  const [found, handles] = await Promise.all([prefixesOf(registry, calls), prefixesOfHandles(registry, calls)])
  const ids = [...new Set([...found.values(), ...Object.values(handles)])]
  const registered: Registered = ids.length === 0 ? {} : await registry.providersOf(ids)
  const observed = parts.map(({ message, calls: own }) => {
    const arrivals = new Map<string, Arrival[]>()
    const lessons: Lesson[] = []
    const agents: AgentCall[] = []
    const edits: EditSeen[] = []
    const passed: PassedCall[] = []
    for (const call of own) {
      edits.push(...editOf(call))
      const end = call.ends.find(({ entry }) => found.has(entry))
      const handled = handles[call.handle ?? '']
      const id = handled ?? found.get(end?.entry ?? '')
      passed.push(...passedIn(call, id ?? null))
      if (call.booked === true) continue
      agents.push(...agentsIn(call, id ?? null))
      const { provider, routing } = registered[id ?? ''] ?? {}
      if (id === undefined) lessons.push(...lessonOf(call))
      if (id === undefined || provider === undefined || cardById(provider) === undefined) continue
      const elsewhere = routing !== undefined && call.routing !== undefined && shortHash(routing) !== call.routing
      const far = (end?.far === true || elsewhere) && handled === undefined
      const all = arrivals.get(id) ?? []
      all.push(arrivalOf(call, handled !== undefined, far, end))
      arrivals.set(id, all)
    }
    return {
      message,
      observed: [...arrivals].map(([id, all]) => ({ id, arrivals: all })),
      lessons,
      agents,
      edits,
      calls: passed,
    }
  })
  // Nothing is written, not even the number, where nothing is known of what was called.
  const booked = observed.filter(
    (part) => part.observed.length + part.lessons.length + part.edits.length + part.calls.length > 0,
  )
  if (booked.length > 0) await registry.observeOnce(booked)
  // After the requests, because a parent that has come back waits no more.
  const agents = observed.flatMap((part) => part.agents)
  if (agents.length > 0) await registry.agentsCalled(agents)
}

/** What a call teaches that belongs to no prefix. A repeated one is no demand. */
function lessonOf({ lesson, provider, startedAt, usage, again }: Seen): Lesson[] {
  if (lesson === undefined || again === true) return []
  return [{ ...lesson, provider, at: startedAt, usage }]
}

/** What a call adds to the comparison of calls with our edits and without. Usage without counts adds nothing. */
function editOf({ edit, provider, startedAt, usage }: Seen): EditSeen[] {
  const { inputTokens, cacheReadTokens } = usage
  if (edit === undefined || inputTokens === null || cacheReadTokens === null) return []
  return [{ ...edit, provider, at: startedAt, readTokens: cacheReadTokens, promptTokens: inputTokens }]
}

/** What is remembered of a call, where its account takes that. */
function passedIn({ call, provider, startedAt, ttftMs, usage }: Seen, prefix: string | null): PassedCall[] {
  return call === undefined ? [] : [{ ...call, provider, startedAt, ttftMs, usage, prefix }]
}

/** What a call says of agents: who uses a registered prefix, or for whom one waits. */
function agentsIn({ agents, startedAt }: Seen, prefix: string | null): AgentCall[] {
  return agents === undefined || (prefix === null && agents.parent === null) ? [] : [{ ...agents, startedAt, prefix }]
}

function arrivalOf(
  { startedAt, usage, ttftMs, again, lifetime, served, asked, call }: Seen,
  handled: boolean,
  far: boolean,
  end: SeenEnd | undefined,
): Arrival {
  return {
    startedAt,
    usage,
    ttftMs,
    ...(handled ? { refers: true } : { bytes: 'same' as const }),
    ...(far && (usage.cacheReadTokens ?? 0) === 0 ? { outOfReach: true as const } : {}),
    ...(again === true ? { again } : {}),
    ...(call?.upstream === undefined ? {} : { upstream: call.upstream }),
    ...(lifetime === undefined ? {} : { lifetime }),
    ...(served === undefined ? {} : { served }),
    ...retentionsAt(end, asked),
  }
}

/** Registered prefixes by lookup. */
async function prefixesOf(registry: RegistryStub, calls: readonly Seen[]): Promise<Map<string, string>> {
  const hashes = [...new Set(calls.flatMap(({ ends }) => ends.map(({ entry }) => entry)))]
  const found = new Map<string, string>()
  for (let from = 0; from < hashes.length; from += LOOKED_UP) {
    const { ids } = await registry.findByLookup(hashes.slice(from, from + LOOKED_UP))
    for (const [hash, id] of Object.entries(ids)) found.set(hash, id)
  }
  return found
}

async function prefixesOfHandles(registry: RegistryStub, calls: readonly Seen[]): Promise<Record<string, string>> {
  const names = [...new Set(calls.flatMap(({ handle }) => handle ?? []))]
  return names.length === 0 ? {} : registry.prefixesOfHandles(names)
}
