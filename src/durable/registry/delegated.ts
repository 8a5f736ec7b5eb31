type Method = (...given: never[]) => unknown
type Class = new (...given: never[]) => object

/** Classes whose methods an object answers, by the name of the member that holds the instance. */
type Classes = Record<string, Class>

export type Instances<Delegates extends Classes> = { [Key in keyof Delegates]: InstanceType<Delegates[Key]> }

type MethodsOf<Instance> = { [Key in keyof Instance as Instance[Key] extends Method ? Key : never]: Instance[Key] }

type IntersectionOf<Union> = (Union extends unknown ? (of: Union) => void : never) extends (of: infer All) => void
  ? All
  : never

/** Every method that the classes declare. */
export type Delegated<Delegates extends Classes> = IntersectionOf<
  { [Key in keyof Delegates]: MethodsOf<InstanceType<Delegates[Key]>> }[keyof Delegates]
>

/** Names that the runtime calls itself or refuses over RPC, and `then`, which would make a stub look like a promise. */
type Reserved = 'alarm' | 'connect' | 'dup' | 'fetch' | 'then' | `webSocket${string}`
const RESERVED = /^(?:alarm|connect|dup|fetch|then|webSocket.*)$/

type NamesOf<Delegate extends Class> = keyof MethodsOf<InstanceType<Delegate>>

/** The classes, with `never` in place of each one that declares a reserved name or a name of another class. */
type Distinct<Delegates extends Classes> = {
  [Key in keyof Delegates]: NamesOf<Delegates[Key]> &
    (
      | Reserved
      | { [Other in keyof Delegates]: Other extends Key ? never : NamesOf<Delegates[Other]> }[keyof Delegates]
    ) extends never
    ? Delegates[Key]
    : never
}

/**
 * Gives `target` a method for each method that the classes in `delegates` declare, under the same name. It calls the
 * method of the instance that `instancesOf` returns for the object. Nothing else of the instances can be reached.
 *
 * Throws `TypeError` where a name is reserved, or declared twice, or is not a method.
 */
export function delegate<Self extends Delegated<Delegates> & object, Delegates extends Classes>(
  target: { prototype: Self },
  delegates: Delegates & Distinct<Delegates>,
  instancesOf: (self: Self) => Instances<Delegates>,
): void {
  for (const [key, { prototype }] of Object.entries<Class>(delegates)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (name === 'constructor') continue
      if (typeof value !== 'function') throw new TypeError(`${key}.${name}: is not a method`)
      if (RESERVED.test(name)) throw new TypeError(`${key}.${name}: the name is reserved`)
      if (name in target.prototype) throw new TypeError(`${key}.${name}: the name is declared twice`)
      Object.defineProperty(target.prototype, name, {
        value(this: Self, ...given: unknown[]): unknown {
          return Reflect.apply(value as (...all: unknown[]) => unknown, instancesOf(this)[key], given)
        },
      })
    }
  }
}
