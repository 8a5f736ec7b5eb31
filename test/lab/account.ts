import { hashOf } from './blocks.ts'

/** Each key is a workspace (or organisation, or project) of its own; the fingerprint stands for it and does not tell the key. */
export function accountOf(key: string): string {
  return hashOf(`account\u0000${key}`).slice(0, 12)
}

/** Keys that start with `bad` are refused; all others are accepted. */
export function isRefusedKey(key: string): boolean {
  return key.startsWith('bad')
}

export function bearerOf(headers: Headers): string {
  return /^bearer\s+(.*)$/i.exec(headers.get('authorization') ?? '')?.[1]?.trim() ?? ''
}
