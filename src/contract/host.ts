const PRIVATE_NAMES = /(^|\.)(localhost|local|internal|intranet|lan|home|corp|home\.arpa)$/i

/** True for names of the local network and for IP addresses that are not public. `URL` has normalised IPv4 to four numbers. */
export function isPrivate(hostname: string): boolean {
  const host = hostname.replace(/\.+$/, '')
  if (host.startsWith('[')) return isPrivateV6(host.slice(1, -1))
  const parts = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host)
  if (parts === null) return PRIVATE_NAMES.test(host) || !host.includes('.')
  const [a, b, c] = parts.slice(1).map(Number) as [number, number, number]
  return (
    a === 0 ||
    a === 10 ||
    a === 127 ||
    a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168) ||
    (a === 192 && b === 0 && (c === 0 || c === 2)) ||
    (a === 192 && b === 88 && c === 99) ||
    (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) ||
    (a === 203 && b === 0 && c === 113)
  )
}

/** Public unicast is 2000::/3 alone. Excluded from it: the documentation ranges, and 6to4 and Teredo, which embed IPv4 addresses. */
function isPrivateV6(address: string): boolean {
  const first = Number.parseInt(address.split(':')[0] || '0', 16)
  return first < 0x2000 || first > 0x3fff || /^(2001:0?:|2001:db8:|2002:|3fff:[0-9a-f]{0,3}:)/i.test(`${address}:`)
}
