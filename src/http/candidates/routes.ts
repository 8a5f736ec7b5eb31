import * as z from 'zod'
import { Failure } from '../../contract/failure.ts'
import { registerCandidateBody } from '../../contract/candidate.ts'
import { weightAt } from '../../core/candidates/candidate.ts'
import type { CandidateView } from '../../core/candidates/judgement.ts'
import type { RefusedByUse } from '../../registration/by-use/lesson.ts'
import { iso, money } from '../present/format.ts'
import { account } from '../server/auth.ts'
import { registryOf, router } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { decodeCursor, encodeCursor } from '../server/cursor.ts'
import { idempotent } from '../server/idempotency.ts'
import { cursor, limit, readQuery } from '../server/query.ts'
import { readBody } from '../server/read-body.ts'

const flag = z
  .enum(['true', 'false'], { error: 'must be "true" or "false"' })
  .transform((text) => text === 'true')
  .optional()
  .meta({ description: 'Only those that are worth registering, or only the others.' })

export const candidatesQuery = z.strictObject({ worth_registering: flag, cursor, limit: limit(50, 200) })

const HAPPENS =
  'Nothing of the content is stored yet. The next call through the gateway that begins with it, within 24 hours, is registered as its provider answers it: its body up to this point is stored then, sealed. Pilotlight sends nothing for that. DELETE /candidates/{id} takes this back.'

/** What recurs in calls through the gateway and is not registered. */
export const candidates = router()
  .get('/candidates', account, async (c) => {
    const query = readQuery(c, candidatesQuery)
    const from = decodeCursor(query.cursor, z.strictObject({ next: z.int().min(0) }))?.next ?? 0
    const { all, refused, now } = await registryOf(c).candidates()
    const { worth_registering: worth } = query
    const found = (all as CandidateView[]).filter(({ judgement }) => judgement.worth === (worth ?? judgement.worth))
    const next = from + query.limit
    return c.json({
      data: found.slice(from, next).map((one) => candidateJson(one, now)),
      next_cursor: next < found.length ? encodeCursor({ next }) : null,
      refused: (refused as RefusedByUse[]).map(refusedJson),
    })
  })
  .post('/candidates/:id/register', account, idempotent, async (c) => {
    const id = idOf(c)
    const { name = null } = await readBody(c, registerCandidateBody, { empty: true })
    const wanted = (await registryOf(c).wantCandidate(id, name)) as CandidateView
    return c.json({ ...candidateJson(wanted, wanted.wantedAt ?? wanted.lastAt), happens: HAPPENS }, 202)
  })
  .delete('/candidates/:id', account, async (c) => {
    const id = idOf(c)
    await registryOf(c).removeCandidate(id)
    return c.json({ id, deleted: true })
  })

function idOf(c: Call): string {
  const id = c.req.param('id') ?? ''
  if (!/^cnd_[\w-]{16}$/.test(id)) throw new Failure('not_found', 'There is no candidate with this id.')
  return id
}

export function candidateJson(one: CandidateView, now: number) {
  const { used, judgement } = one
  const { worth, objections, keepAlives, costNanosPerDay, savingNanosPerDay, why } = judgement
  return {
    id: one.id,
    parent: one.parent,
    provider: one.provider,
    model: one.model,
    estimated_tokens: one.tokens,
    calls: one.count,
    recent_calls: Number(weightAt(one, now).toFixed(3)),
    estimated_sessions: one.estimatedSessions,
    first_seen_at: iso(one.firstAt),
    last_seen_at: iso(one.lastAt),
    usage: {
      calls: used.calls,
      input_tokens: used.inputTokens,
      cached_input_tokens: used.readTokens,
      cache_write_input_tokens: used.writtenTokens,
    },
    worth_registering: worth,
    objections: [...objections],
    keep_alives_per_gap: keepAlives,
    cost_usd_per_day: money(costNanosPerDay),
    saving_usd_per_day: money(savingNanosPerDay),
    why,
    waiting_since: iso(one.wantedAt ?? null),
    name: one.name ?? null,
  }
}

function refusedJson({ at, provider, name, kind, field, message }: RefusedByUse) {
  return { at: iso(at), provider, name, kind, field, message }
}
