import { gunzipSync, gzipSync } from 'node:zlib'

/** Compresses a body (gzip). Prompts shrink to a third or less, and storage and RPC are billed by the byte. */
export function pack(text: string): Uint8Array {
  return new Uint8Array(gzipSync(text))
}

export function unpack(bytes: Uint8Array): string {
  return gunzipSync(bytes).toString('utf8')
}
