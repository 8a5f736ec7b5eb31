import { DurableObject } from 'cloudflare:workers'
import type { ClockState } from './clock.ts'
import { Lab } from './lab.ts'
import type { LabOptions } from './lab.ts'
import { sqlStore } from './sql-store.ts'

type LabEnv = {
  LAB: DurableObjectNamespace<LabState>
  /** The clock, as numbers in strings: virtual now = CLOCK_VIRTUAL_ANCHOR_AT + CLOCK_RATE × (real now − CLOCK_REAL_ANCHOR_AT). Absent: real time. */
  CLOCK_REAL_ANCHOR_AT?: string
  CLOCK_VIRTUAL_ANCHOR_AT?: string
  CLOCK_RATE?: string
  /** `off` answers at once. */
  LAB_LATENCY?: string
}

function clockOf(env: LabEnv): ClockState | undefined {
  const [realAnchorAt, virtualAnchorAt, rate] = [
    env.CLOCK_REAL_ANCHOR_AT,
    env.CLOCK_VIRTUAL_ANCHOR_AT,
    env.CLOCK_RATE,
  ].map(Number)
  if (realAnchorAt === undefined || virtualAnchorAt === undefined || rate === undefined) return undefined
  return [realAnchorAt, virtualAnchorAt, rate].every(Number.isFinite)
    ? { realAnchorAt, virtualAnchorAt, rate }
    : undefined
}

/** All of the lab's state, in one object, so that concurrent requests share it and a restart finds it again. */
export class LabState extends DurableObject<LabEnv> {
  readonly #lab: Lab

  constructor(ctx: DurableObjectState, env: LabEnv) {
    super(ctx, env)
    const clock = clockOf(env)
    const options: LabOptions = {
      now: () => Date.now(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      random: () => Math.random(),
      latency: env.LAB_LATENCY === 'off' ? 'off' : 'on',
      store: sqlStore(ctx.storage.sql),
      ...(clock === undefined ? {} : { clock }),
    }
    this.#lab = new Lab(options)
  }

  override fetch(request: Request): Promise<Response> {
    return this.#lab.fetch(request)
  }
}

export default {
  fetch: (request, env) => env.LAB.getByName('main').fetch(request),
} satisfies ExportedHandler<LabEnv>
