import { Hono } from 'hono'
import type { Context } from 'hono'
import { clockFrom } from '../../runtime/clock.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Environment } from '../../runtime/env.ts'

/** What a request carries from one middleware to the next. */
export interface Shared {
  Bindings: Environment
  Variables: {
    requestId: string
    /** When the request began, in this clock. */
    askedAt: number
    /** The account that the key names. Set behind `account()` only. */
    account: string
    body: Promise<string>
  }
}

export type Call = Context<Shared>
export type RegistryStub = ReturnType<Environment['REGISTRY']['getByName']>
export type DirectoryStub = ReturnType<Environment['DIRECTORY']['getByName']>

/** A router for one resource. */
export function router() {
  return new Hono<Shared>()
}

export function registryOf(c: Call, account = c.var.account): RegistryStub {
  return c.env.REGISTRY.getByName(account)
}

export function directoryOf(c: Call): DirectoryStub {
  return c.env.DIRECTORY.getByName('directory')
}

export function clockOf(c: Call): Clock {
  return clockFrom(c.env)
}

/** Lets work go on when the caller hangs up. Without an execution context (a router driven in a test) it goes on by itself. */
export function keepAlive(c: Call, work: Promise<unknown>): void {
  const settled = work.then(
    () => {},
    () => {}, // whoever awaits the work itself hears of it
  )
  let context: ExecutionContext | null = null
  try {
    context = c.executionCtx as ExecutionContext
  } catch {
    context = null
  }
  context?.waitUntil(settled)
}
