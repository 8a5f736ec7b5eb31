import { Failure, failureValue, readFailure } from '../contract/failure.ts'
import type { FailureValue } from '../contract/failure.ts'

/** The answer of an object's method as a value. */
export type Answered = { value: unknown } | { failure: FailureValue }

/** An object that answers failures as values too. `method`: one of its RPC methods; `given`: what it takes. */
export interface Answering {
  answer(method: string, given: unknown[]): Promise<unknown>
}

/**
 * Calls a method of an object for its `answer`, and never throws what that method throws: an error that crosses between objects is
 * written to the log by the runtime, with its text. `of`: the class whose methods may be called.
 */
export async function answered(self: object, of: object, method: string, given: unknown[]): Promise<Answered> {
  const called = methodOf(of, method)
  if (called === null)
    return { failure: failureValue('internal', `The object has no method "${method}".`, { lacks: method }) }
  try {
    return { value: await Reflect.apply(called, self, given) }
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure !== null) return { failure }
    // The text of an unexpected error may hold anything.
    console.error('an object failed', thrown instanceof Error ? thrown.name : typeof thrown)
    return { failure: failureValue('internal', 'Something failed inside of Pilotlight.') }
  }
}

/** Names that the runtime calls itself, and the one that would call itself. */
const NEVER = /^(?:alarm|answer|connect|constructor|fetch|webSocket.*)$/

/** The method that a class or its parents declare; null: none may be called by this name. */
function methodOf(of: object, method: string): ((...given: unknown[]) => unknown) | null {
  if (NEVER.test(method)) return null
  for (
    let at: object | null = of;
    at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    const value: unknown = Object.getOwnPropertyDescriptor(at, method)?.value
    if (typeof value === 'function') return value as (...given: unknown[]) => unknown
  }
  return null
}

/** What the runtime says where an object of the version before is called: it throws its failures itself. */
const LACKS_ANSWER = /does not implement (?:the method )?"answer"/

/** Members of a stub that are no methods of its object. */
const OWN = /^(?:then|fetch|connect|id|name|dup)$/

/** A stub whose methods throw here what failed in the object. Each is one call of `answer`. */
export function throwingHere<Stub extends object>(stub: Stub): Stub {
  return new Proxy(stub, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name)
      if (typeof name !== 'string' || OWN.test(name)) return typeof own === 'function' ? own.bind(target) : own
      return async (...given: unknown[]): Promise<unknown> => {
        let result: Answered
        try {
          result = (await (target as Stub & Answering).answer(name, given)) as Answered
        } catch (thrown) {
          if (!(thrown instanceof TypeError) || !LACKS_ANSWER.test(thrown.message)) throw thrown
          return Reflect.apply(own as (...all: unknown[]) => unknown, target, given)
        }
        if ('value' in result) return result.value
        const { kind, message, detail } = result.failure
        if (detail?.['lacks'] === name) throw new TypeError(`The RPC receiver does not implement "${name}".`)
        throw new Failure(kind, message, detail)
      }
    },
  })
}
