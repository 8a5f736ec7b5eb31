/** Bad keys within `WINDOW_MS` that are answered one by one, for each address and for each account that they name. */
export const BAD_KEYS = 20
/** Real milliseconds. */
export const WINDOW_MS = 60_000
/** Addresses, and accounts, that one isolate remembers. Beyond that the oldest window is forgotten. */
const REMEMBERED = 10_000

interface Window {
  count: number
  endsAt: number
}

/** Why a bad key is refused without a verdict, and for how long. */
export interface Limited {
  by: 'address' | 'account'
  waitMs: number
}

/**
 * Counts bad keys by address and by account. It only ever shortens the answer to a bad key: a good one is never asked for here, so that
 * nobody is locked out by what others send from the same address, or in the name of the same account.
 */
export class BadKeys {
  readonly #addresses = new Map<string, Window>()
  readonly #accounts = new Map<string, Window>()

  /** Windows in memory. */
  get size(): number {
    return this.#addresses.size + this.#accounts.size
  }

  /** Counts a bad key. Null: there were few, and the caller may know what is wrong with it. `windowMs`: in the clock of `now`. */
  count(from: { address: string | null; account: string | null }, now: number, windowMs = WINDOW_MS): Limited | null {
    const address = from.address === null ? 0 : counted(this.#addresses, networkOf(from.address), now, windowMs)
    const account = from.account === null ? 0 : counted(this.#accounts, from.account, now, windowMs)
    if (address > 0 && address >= account) return { by: 'address', waitMs: address }
    return account > 0 ? { by: 'account', waitMs: account } : null
  }
}

/** Time until the window of a name ends; 0: its limit is not reached. */
function counted(windows: Map<string, Window>, name: string, now: number, windowMs: number): number {
  const open = windows.get(name)
  // A window that ends later than one can was begun before the clock was set back.
  if (open === undefined || open.endsAt <= now || open.endsAt > now + windowMs) {
    windows.delete(name)
    const oldest = windows.size >= REMEMBERED ? windows.keys().next().value : undefined
    if (oldest !== undefined) windows.delete(oldest)
    windows.set(name, { count: 1, endsAt: now + windowMs })
    return 0
  }
  open.count += 1
  return open.count > BAD_KEYS ? open.endsAt - now : 0
}

/** An IPv4 address, or the first 64 bits of an IPv6 address: a subscriber has all addresses behind them. */
export function networkOf(address: string): string {
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? []
  if (mapped !== undefined) return mapped
  if (!address.includes(':')) return address.slice(0, 64)
  const [head = '', tail] = address.split('%')[0]?.toLowerCase().split('::') ?? []
  const front = head === '' ? [] : head.split(':')
  const back = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => '0')
  const groups = [...front, ...zeros, ...back].slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''))
  return `${groups.join(':')}::/64`.slice(0, 64)
}
