import * as z from 'zod'
import { Failure } from '../../contract/failure.ts'
import { keepWarmOver } from '../../contract/keep-warm.ts'
import { LEAD_MS, leaseBody, WAIT_MS } from '../../contract/lease.ts'
import { prefixChange, previewBody, warmAgainBody } from '../../contract/warm.ts'
import type { PrefixView } from '../../durable/registry/records/prefix-view.ts'
import type { Card } from '../../providers/card.ts'
import { cardById, REMOVED } from '../../runtime/cards.ts'
import { withMarkers, withRetention } from '../../providers/prefix/with-markers.ts'
import { unpack } from '../../runtime/bytes.ts'
import { newId, sha256 } from '../../runtime/ids.ts'
import { account, accountReads } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { clockOf, registryOf, router } from '../server/context.ts'
import { decodeCursor, encodeCursor } from '../server/cursor.ts'
import { diagnoseAgainst } from './diagnose.ts'
import { idOf } from './named.ts'
import { historyPage, historyQuery } from './history.ts'
import { idempotent } from '../server/idempotency.ts'
import { switchTold } from '../server/kill-switch.ts'
import { barrierJson, ownAdvice, prefixJson, receiptJson, warmthJson } from '../present/prefix.ts'
import { nextRequestJson } from '../present/next-request.ts'
import { previewJson } from './preview.ts'
import { probeJson } from '../present/probe.ts'
import { cursor, limit, readQuery } from '../server/query.ts'
import { countedIfRefused, uncountedAdvice, withUncounted } from '../warm/count.ts'
import { judged } from '../warm/judge.ts'
import { standingRequirement } from '../warm/required.ts'
import { retentionAdvice } from '../present/retention-advice.ts'
import { warmedJson } from '../warm/present.ts'
import { isUnpricedAllowed, refuseUnpricedAgain } from '../warm/unpriced.ts'
import { DEFAULT_CREDENTIAL } from '../../calls/credential.ts'
import { credentialsNamed, refuseUnsendable } from '../server/credential.ts'
import { longPoll } from '../server/long-poll.ts'
import { retentionInForce } from '../../registration/record.ts'

export const listQuery = z.strictObject({
  state: z.enum(['warm', 'expiring', 'cold', 'uncacheable', 'unknown']).optional(),
  provider: z.string().max(64).optional(),
  name: z.string().max(200).optional(),
  stopped: z.enum(['true', 'false']).optional(),
  needs_somebody: z.enum(['true', 'false']).optional().meta({
    description:
      'true: only prefixes whose plan stopped for a reason that the webhook reports. false: only the others.',
  }),
  drifted: z.enum(['true', 'false']).optional().meta({
    description: 'Only those that real requests no longer begin with, or only the others.',
  }),
  alarmed: z.enum(['true', 'false']).optional().meta({
    description: 'Only those with an alarm that has not ended, or only the others.',
  }),
  cursor,
  limit: limit(50, 200),
})

/** The body that real requests send while the planner keeps the prefix in a managed cache; null: there is no handle. */
function handleBody(card: Card | undefined, body: string, { kept }: Pick<PrefixView, 'kept'>): string | null {
  const references = card?.managedCaches?.references
  if (references === undefined || kept?.handle == null) return null
  const parts = references.split(body)
  return parts === null ? null : references.refer(parts.rest, kept.handle)
}

export const prefixes = router()
  .get('/prefixes', account, async (c) => {
    const query = readQuery(c, listQuery)
    const from = decodeCursor(query.cursor, z.strictObject({ k: z.int().min(0) }))
    const { state, provider, name, stopped, needs_somebody: needs, drifted, alarmed } = query
    const page = await registryOf(c).list(
      {
        ...(state === undefined ? {} : { state }),
        ...(provider === undefined ? {} : { provider }),
        ...(name === undefined ? {} : { name }),
        ...(stopped === undefined ? {} : { stopped: stopped === 'true' }),
        ...(drifted === undefined ? {} : { drifted: drifted === 'true' }),
        ...(alarmed === undefined ? {} : { alarmed: alarmed === 'true' }),
        ...(needs === undefined ? {} : { needsSomebody: needs === 'true' }),
      },
      from?.k ?? null,
      query.limit,
    )
    return c.json({
      data: page.views.map((view) => prefixJson(view)),
      next_cursor: page.cursor === null ? null : encodeCursor({ k: page.cursor }),
    })
  })
  .get('/prefixes/:id', account, async (c) => {
    const view = await registryOf(c).view(await idOf(c))
    const clock = clockOf(c)
    return c.json(prefixJson(view, retentionAdvice(view, clock.now(), clock.grainMs)))
  })
  .patch('/prefixes/:id', account, async (c) => {
    const id = await idOf(c)
    const change = await readBody(c, prefixChange)
    const registry = registryOf(c)
    const standing = await registry.view(id)
    const view = await registry.change(id, {
      ...(change.name === undefined ? {} : { name: change.name }),
      ...(change.keep_warm === undefined ? {} : { keepWarm: keepWarmOver(change.keep_warm, standing.record.keepWarm) }),
    })
    return c.json(prefixJson(view))
  })
  .delete('/prefixes/:id', account, async (c) => {
    const id = await idOf(c)
    await registryOf(c).remove(id)
    return c.json({ id, deleted: true })
  })
  .get('/prefixes/:id/warmth', account, async (c) => {
    const view = await registryOf(c).view(await idOf(c))
    const { belief, state, record } = view
    return c.json({
      id: record.id,
      ...warmthJson(belief),
      next_request: nextRequestJson(view, clockOf(c).now()),
      last_receipt: state.lastReceipt === null ? null : receiptJson(state.lastReceipt),
    })
  })
  .get('/prefixes/:id/history', account, async (c) => {
    const id = await idOf(c)
    const query = readQuery(c, historyQuery)
    return c.json(historyPage(await registryOf(c).history(id), query))
  })
  .get('/prefixes/:id/request', account, async (c) => {
    const id = await idOf(c)
    const registry = registryOf(c)
    const view = await registry.view(id)
    const { record, state } = view
    const stored = unpack(await registry.body(id))
    const card = cardById(record.provider)
    const { model, cacheKey, maxOutputTokens, headers = {} } = record
    const retention = retentionInForce(record, state)
    // Markers that the planner set follow its choice; a caller's own stay.
    const { text: body, breakpoint } =
      card === undefined || record.retentionOpen !== true
        ? { text: stored, breakpoint: record.breakpoint }
        : withRetention(card, { text: stored, breakpoint: record.breakpoint }, retention)
    const prefix = { text: body, model, breakpoint, cacheKey, retention }
    const probe = card === undefined ? null : probeJson(card, prefix, record.primitives[0], maxOutputTokens, headers)
    const clock = clockOf(c)
    const head = JSON.stringify({
      id,
      provider: record.provider,
      model,
      path: probe?.path ?? null,
      headers: { ...card?.headers, ...headers },
      retention,
      probe,
      prefix_ends_at: breakpoint,
      sha256: sha256(body),
      advice: [...retentionAdvice(view, clock.now(), clock.grainMs), ...ownAdvice(view)],
      marked_body: card === undefined ? null : withMarkers(card, body, retention),
      ...(record.cacheOpen === true || view.kept !== undefined ? { handle_body: handleBody(card, body, view) } : {}),
      body,
    })
    // Added as text, so that no byte of it changes.
    return c.body(`${head.slice(0, -1)},"request":${body}}`, 200, { 'content-type': 'application/json' })
  })
  .post('/prefixes/:id/preview', accountReads, async (c) => {
    const id = await idOf(c)
    const { keep_warm } = await readBody(c, previewBody)
    const { view, traffic } = await registryOf(c).seen(id)
    const clock = clockOf(c)
    return c.json(
      previewJson({ ...view, traffic }, keepWarmOver(keep_warm, view.record.keepWarm), clock.now(), clock.grainMs),
    )
  })
  .post('/prefixes/:id/diagnose', accountReads, async (c) => c.json(await diagnoseAgainst(c, await idOf(c))))
  .post('/prefixes/:id/lease', account, async (c) => {
    const id = await idOf(c)
    const { wait = WAIT_MS, lead_for: leadMs = LEAD_MS, lease, outcome } = await readBody(c, leaseBody, { empty: true })
    const registry = registryOf(c)
    if (lease !== undefined && outcome !== undefined) {
      return c.json(barrierJson(id, await registry.reportBarrier(id, lease, outcome)))
    }
    const clock = clockOf(c)
    const until = clock.now() + wait
    // The first call does not wait, so that a caller always gets an answer.
    const first = await registry.askBarrier(id, 0, leadMs)
    const answer =
      first.role !== 'wait' || wait === 0
        ? first
        : await longPoll(c, until - clock.now(), (stub, left) => stub.askBarrier(id, left, leadMs))
    return c.json(barrierJson(id, answer ?? first))
  })
  .post('/prefixes/:id/warm', account, idempotent, switchTold, async (c) => {
    const id = await idOf(c)
    const { background, allow_unpriced: given } = await readBody(c, warmAgainBody, { empty: true })
    const registry = registryOf(c)
    const seen = await registry.view(id)
    const { record } = seen
    const card = cardById(record.provider)
    if (card === undefined) throw new Failure('forbidden', `The prefix is not warmed: ${REMOVED}.`, { prefix_id: id })
    const own = (await credentialsNamed(c, [record.credential])).get(record.credential)
    if (own !== undefined || record.credential === DEFAULT_CREDENTIAL) await refuseUnsendable(c, card, own)
    const required = standingRequirement(seen, clockOf(c).now())
    const how = background === true ? 'later' : 'now'
    const word = { given, waits: how === 'now' }
    refuseUnpricedAgain(seen, word, clockOf(c).now())
    const begun = () => registryOf(c).warm(id, how, newId('job'), c.var.askedAt, required, isUnpricedAllowed(word))
    const { warmed, uncounted } = await countedIfRefused(c, seen, begun, how === 'later')
    try {
      const { view, result } = await judged(c, warmed, null, required)
      const json = warmedJson(view, false, result, uncountedAdvice(uncounted))
      return c.json(json, result.job === null ? 200 : 202)
    } catch (thrown) {
      throw withUncounted(thrown, uncounted)
    }
  })
