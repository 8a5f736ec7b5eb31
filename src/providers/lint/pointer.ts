/** A member's name in a JSON pointer (RFC 6901). An unknown name may be text of a caller, so a long one is cut. */
export function pointerToken(key: string): string {
  return key.slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1')
}
