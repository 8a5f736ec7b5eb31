import * as z from 'zod'
import type { LabClock } from './clock.ts'
import { jsonResponse } from './deliver.ts'
import { FAULT_KINDS, WRONG_USAGES } from './faults.ts'
import type { FaultBoard, FaultRequest } from './faults.ts'
import { COUNTED_PER } from './counting.ts'
import type { CountingRule, CountingRules } from './counting.ts'
import type { CachedContent } from './dialect.ts'
import { changedSettings, engineChange } from './engines/control.ts'
import { ENGINES } from './engines/engines.ts'
import type { Engines } from './engines/engines.ts'
import type { PrefixCache } from './cache-model.ts'
import { MAX_BODY_CHARS } from './transcript.ts'
import type { Transcript } from './transcript.ts'

const provider = z.enum(['anthropic', 'openai', 'gemini', 'vertex', 'bedrock', ...ENGINES])

const faultRequest = z.strictObject({
  kind: z.enum(FAULT_KINDS),
  provider: provider.optional(),
  model: z.string().optional(),
  times: z.int().min(1).optional(),
  until: z.number().optional(),
  probability: z.number().min(0).max(1).optional(),
  retry_after_ms: z.number().min(0).optional(),
  delay_ms: z.number().min(0).optional(),
  status: z.int().min(200).max(599).optional(),
  charged: z.boolean().optional(),
  hidden: z.boolean().optional(),
  how: z.enum(WRONG_USAGES).optional(),
  factor: z.number().min(1).max(1000).optional(),
  prompts: z.int().min(1).max(1000).optional(),
  tokens: z.int().min(1).max(100_000).optional(),
})

const countingRule = z.strictObject({
  provider: provider.optional(),
  model: z.string().optional(),
  per: z.enum(COUNTED_PER),
  added: z
    .strictObject({ request: z.int().min(0), message: z.int().min(0), tool: z.int().min(0), any_tool: z.int().min(0) })
    .optional(),
  times: z.number().positive().max(1000).optional(),
  free_count: z.number().optional(),
  free_count_low: z.strictObject({ share: z.number().min(0).max(1), tokens: z.int().min(0) }).optional(),
})

const serviceAccount = z.strictObject({ client_email: z.string().min(3), public_key: z.string().min(1) })

const capacity = z.strictObject({ tokens: z.int().min(0).nullable() })

const clockChange = z.strictObject({
  mode: z.enum(['real', 'virtual']).optional(),
  now: z.number().optional(),
  rate: z.number().min(0).optional(),
  advance_ms: z.number().min(0).optional(),
})

function clockOf(clock: LabClock): unknown {
  const { realAnchorAt, virtualAnchorAt, rate } = clock.state
  const mode = rate === 1 && realAnchorAt === virtualAnchorAt ? 'real' : 'virtual'
  return { now: clock.now(), rate, mode, real_anchor_at: realAnchorAt, virtual_anchor_at: virtualAnchorAt }
}

/** Absent members stay absent: `exactOptionalPropertyTypes` tells them from `undefined`. */
function present<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}

/** The parts of the lab that its control routes read and change. */
export interface Controlled {
  readonly clock: LabClock
  readonly faults: FaultBoard
  readonly counting: CountingRules
  readonly transcript: Transcript
  readonly cache: PrefixCache
  readonly handles: ReadonlyMap<string, CachedContent>
  readonly engines: Engines
  clearTranscript: () => void
  saveFaults: () => void
  saveCounting: () => void
  saveClock: () => void
  addServiceAccount: (email: string, publicKey: string) => void
  reset: () => void
}

/** The routes under `/_lab`. */
export async function control(lab: Controlled, request: Request, url: URL): Promise<Response> {
  const name = url.pathname.slice('/_lab/'.length)
  const route = `${request.method} ${name}`
  switch (route) {
    case 'GET health':
      return jsonResponse(200, { ok: true, now: lab.clock.now() })
    case 'GET transcript': {
      const since = Number(url.searchParams.get('since') ?? 0)
      const limit = Number(url.searchParams.get('limit') ?? 2000)
      const chars = Number(url.searchParams.get('chars') ?? MAX_BODY_CHARS)
      return jsonResponse(200, { data: lab.transcript.list(since, limit, chars), next_cursor: null })
    }
    case 'DELETE transcript':
      lab.clearTranscript()
      return jsonResponse(200, { ok: true })
    case 'GET faults':
      return jsonResponse(200, { data: lab.faults.list(), next_cursor: null })
    case 'POST faults': {
      const body = await readJson(request, faultRequest)
      if (body instanceof Response) return body
      const fault = lab.faults.add(present(body) as FaultRequest)
      lab.saveFaults()
      return jsonResponse(201, { fault })
    }
    case 'DELETE faults':
      lab.faults.clear()
      lab.saveFaults()
      return jsonResponse(200, { ok: true })
    case 'GET counting':
      return jsonResponse(200, { data: lab.counting.list(), next_cursor: null })
    case 'POST counting': {
      const body = await readJson(request, countingRule)
      if (body instanceof Response) return body
      lab.counting.add(present(body) as CountingRule)
      lab.saveCounting()
      return jsonResponse(201, body)
    }
    case 'DELETE counting':
      lab.counting.clear()
      lab.saveCounting()
      return jsonResponse(200, { ok: true })
    case 'POST service-accounts': {
      const body = await readJson(request, serviceAccount)
      if (body instanceof Response) return body
      lab.addServiceAccount(body.client_email, body.public_key)
      return jsonResponse(201, { client_email: body.client_email })
    }
    case 'GET clock':
      return jsonResponse(200, clockOf(lab.clock))
    case 'POST clock': {
      const body = await readJson(request, clockChange)
      if (body instanceof Response) return body
      const { advance_ms: advanceMs, mode, now, rate } = body
      lab.clock.change(present({ mode, now, rate, advanceMs }))
      lab.saveClock()
      return jsonResponse(200, clockOf(lab.clock))
    }
    case 'POST engines': {
      const body = await readJson(request, engineChange)
      if (body instanceof Response) return body
      return jsonResponse(200, lab.engines.configure(body.engine, changedSettings(body)))
    }
    case 'POST capacity': {
      const body = await readJson(request, capacity)
      if (body instanceof Response) return body
      lab.cache.limit(body.tokens)
      return jsonResponse(200, body)
    }
    case 'GET caches':
      return jsonResponse(200, { entries: liveEntries(lab), handles: liveHandles(lab) })
    case 'POST reset':
      lab.reset()
      return jsonResponse(200, { ok: true })
    default:
      return jsonResponse(404, { error: 'The lab has no such control.' })
  }
}

async function readJson<T>(request: Request, schema: z.ZodType<T>): Promise<T | Response> {
  let body: unknown
  try {
    body = await request.json()
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return jsonResponse(400, { error: 'The body is not JSON.' })
  }
  const parsed = schema.safeParse(body)
  return parsed.success ? parsed.data : jsonResponse(400, { error: z.prettifyError(parsed.error) })
}

/** Live entries: one per written prefix end, and one per step of an automatic cache. */
function liveEntries(lab: Controlled): unknown[] {
  const now = lab.clock.now()
  const rows: unknown[] = []
  for (const [key, entry] of lab.cache.entries()) {
    if (entry.expiresAt <= now) continue
    const [provider, model, account] = key.split('/')
    rows.push({
      provider,
      model,
      key_fingerprint: account,
      hash: key.slice(key.lastIndexOf('/') + 1),
      tokens: entry.tokens,
      ttl_ms: entry.ttlMs,
      readable_at: entry.readableAt,
      expires_at: entry.expiresAt,
    })
  }
  return rows
}

function liveHandles(lab: Controlled): unknown[] {
  const now = lab.clock.now()
  return [...lab.handles.values()]
    .filter((handle) => handle.expiresAt > now)
    .map(({ name, model, account, tokens, expiresAt }) => ({
      provider: 'gemini',
      name,
      model,
      key_fingerprint: account,
      tokens,
      expires_at: expiresAt,
    }))
}
