import { Hono } from 'hono'
import type { Context } from 'hono'
import { clockFrom } from '../../runtime/clock.ts'
import type { Tracer } from '../../calls/span.ts'
import type { LintSetting } from '../../contract/account.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Environment } from '../../runtime/env.ts'
import type { KeyAccess } from '../../runtime/ids.ts'
import { directoryAt, registryAt } from '../../runtime/objects.ts'

/** What the middlewares of a request share. */
export interface Shared {
  Bindings: Environment
  Variables: {
    requestId: string
    /** When the request began, in this clock. */
    askedAt: number
    /** The account that the key names. Only the middleware `account` sets it. */
    account: string
    /** What its key may do there. Set with `account`. */
    access: KeyAccess
    /** What that account does with lint findings, as of at most `KEY_CACHE_MS` ago. */
    lint: LintSetting
    body: Promise<string>
  }
}

export type Call = Context<Shared>
export type RegistryStub = ReturnType<Environment['REGISTRY']['getByName']>
export type DirectoryStub = ReturnType<Environment['DIRECTORY']['getByName']>

/** A router for one resource. */
export function router() {
  return new Hono<Shared>({ getPath: pathOf })
}

/** The path without slashes that say nothing: a base URL often ends in one. */
function pathOf({ url }: Pick<Request, 'url'>): string {
  const path = new URL(url).pathname.replaceAll(/\/{2,}/g, '/')
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

export function registryOf(
  c: Pick<Call, 'env'> & Partial<Pick<Call, 'var'>>,
  account = c.var?.account ?? '',
): RegistryStub {
  return registryAt(c.env, account)
}

export function directoryOf(c: Pick<Call, 'env'>): DirectoryStub {
  return directoryAt(c.env)
}

export function clockOf(c: Pick<Call, 'env'>): Clock {
  return clockFrom(c.env)
}

/** The platform's tracing; undefined where a router in a test has no execution context. */
export function tracerOf(c: Call): Tracer | undefined {
  return contextOf(c)?.tracing
}

function contextOf(c: Call): ExecutionContext | null {
  try {
    return c.executionCtx as ExecutionContext
  } catch {
    return null
  }
}

/** Keeps work running when the caller hangs up. A router in a test has no execution context, and needs none. */
export function keepAlive(c: Call, work: Promise<unknown>): void {
  const settled = work.then(
    () => {},
    () => {}, // the one who awaits `work` gets its error
  )
  contextOf(c)?.waitUntil(settled)
}
