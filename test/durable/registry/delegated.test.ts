import { expect, it } from 'vitest'
import { delegate } from '../../../src/durable/registry/delegated.ts'
import type { Delegated, Instances } from '../../../src/durable/registry/delegated.ts'

class Counter {
  readonly #step: number
  #count = 0

  constructor(step: number) {
    this.#step = step
  }

  count(times = 1): number {
    this.#count += times * this.#step
    return this.#count
  }

  async fails(): Promise<void> {
    throw new RangeError(`at ${this.#count}`)
  }
}

class Greeter {
  greet(name: string): string {
    return `hello ${name}`
  }
}

const DELEGATES = { counter: Counter, greeter: Greeter }

class Shell extends (Object as unknown as new () => Delegated<typeof DELEGATES>) {
  static {
    delegate(Shell, DELEGATES, (shell) => shell.#delegates)
  }

  readonly #delegates: Instances<typeof DELEGATES>

  constructor(step: number) {
    super()
    this.#delegates = { counter: new Counter(step), greeter: new Greeter() }
  }

  own(): string {
    return this.greet('itself')
  }
}

it('an object answers the methods of its delegates with its own instances', () => {
  const [one, other] = [new Shell(1), new Shell(10)]
  expect([one.count(), one.count(3), other.count(), one.greet('you'), one.own()]).toEqual([
    1,
    4,
    10,
    'hello you',
    'hello itself',
  ])
})

it('an error of a delegate reaches the caller', async () => {
  await expect(new Shell(1).fails()).rejects.toThrow(new RangeError('at 0'))
})

it('methods are on the prototype, and nothing else of a delegate can be reached', () => {
  expect(Object.getOwnPropertyNames(Shell.prototype).toSorted()).toEqual([
    'constructor',
    'count',
    'fails',
    'greet',
    'own',
  ])
  expect(Object.keys(new Shell(1))).toEqual([])
})

it('types of arguments and answers are those of the delegate', () => {
  const shell = new Shell(1)
  const count: number = shell.count(2)
  // @ts-expect-error: the argument is a number
  shell.count('2')
  // @ts-expect-error: the answer is a number
  const text: string = shell.count()
  // @ts-expect-error: no delegate declares it
  expect(() => shell.unknown()).toThrow(TypeError)
  expect([count, text]).toHaveLength(2)
})

/** A class with one more property on its prototype. */
function classWith(name: string, property: PropertyDescriptor): new () => object {
  const made = function () {} as unknown as new () => object
  Object.defineProperty(made.prototype, name, property)
  return made
}

/** Lets an empty class delegate to an instance of `given`. */
function start<Given extends new () => object>(given: Given): void {
  const target = function () {} as unknown as { prototype: Delegated<{ given: Given }> & object }
  const delegates: { given: new () => object } = { given }
  delegate(target, delegates, () => ({ given: new given() }))
}

class Twin {
  count(): number {
    return 2
  }
}

it('a name that two delegates declare is a type error, and throws at start', () => {
  const delegates = { counter: Counter, twin: Twin }
  const target = function () {} as unknown as { prototype: Delegated<typeof delegates> & object }
  const instances = { counter: new Counter(1), twin: new Twin() }
  // @ts-expect-error: both declare `count`
  expect(() => delegate(target, delegates, () => instances)).toThrow('twin.count: the name is declared twice')
})

it('a name that the object declares itself is a type error, and throws at start', () => {
  expect(() => {
    class Own extends (Object as unknown as new () => Delegated<{ greeter: typeof Greeter }>) {
      static {
        delegate(Own, { greeter: Greeter }, () => ({ greeter: new Greeter() }))
      }

      // @ts-expect-error: the delegate declares it
      greet(name: string): string {
        return name
      }
    }
    return Own
  }).toThrow('greeter.greet: the name is declared twice')
})

it.each(['alarm', 'connect', 'dup', 'fetch', 'then', 'webSocketMessage', 'webSocketClose', 'webSocketError'])(
  'a delegate that declares %s throws at start',
  (name) => expect(() => start(classWith(name, { value: () => {} }))).toThrow(`given.${name}: the name is reserved`),
)

it('a reserved name is a type error', () => {
  class Alarm {
    alarm(): void {}
  }
  class Socket {
    webSocketMessage(): void {}
  }
  const RESERVED = 'the name is reserved'
  // @ts-expect-error: the runtime calls `alarm` itself
  expect(() => delegate({ prototype: new Alarm() }, { given: Alarm }, () => ({ given: new Alarm() }))).toThrow(RESERVED)
  // @ts-expect-error: the runtime calls `webSocketMessage` itself
  expect(() => delegate({ prototype: new Socket() }, { given: Socket }, () => ({ given: new Socket() }))).toThrow(
    RESERVED,
  )
})

it.each(['toString', 'valueOf', 'hasOwnProperty', '__defineGetter__'])(
  'a delegate that replaces %s of every object throws at start',
  (name) =>
    expect(() => start(classWith(name, { value: () => {} }))).toThrow(`given.${name}: the name is declared twice`),
)

it('a delegate with a getter throws at start', () => {
  expect(() => start(classWith('size', { get: () => 1 }))).toThrow('given.size: is not a method')
})
