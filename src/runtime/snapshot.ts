import { createHmac, timingSafeEqual } from 'node:crypto'
import { Failure } from '../contract/failure.ts'

/** A state that was taken out of the product and may come back: readable, but not to be changed. */
export interface Snapshot {
  version: number
  /** What it is a snapshot of: another kind does not take it. */
  kind: string
  /** JSON, as text, so that its bytes are what was signed. */
  payload: string
  /** HMAC-SHA256 over version, kind and payload, in hex. */
  signature: string
}

export function signSnapshot(of: Omit<Snapshot, 'signature'>, secret: string): Snapshot {
  return { ...of, signature: macOf(of, secret) }
}

/**
 * The payload of a snapshot that this deployment signed. Throws `invalid_request` when it was changed, signed elsewhere or
 * of another kind, and `unsupported` when a newer version of the product made it.
 */
export function openSnapshot(given: Snapshot, expected: { version: number; kind: string }, secret: string): unknown {
  const { version, kind, payload, signature } = given
  const mac = Buffer.from(macOf({ version, kind, payload }, secret))
  const theirs = Buffer.from(String(signature))
  if (theirs.length !== mac.length || !timingSafeEqual(theirs, mac)) {
    throw new Failure('invalid_request', 'snapshot: its signature does not fit; it was changed, or signed elsewhere')
  }
  if (kind !== expected.kind) {
    throw new Failure('invalid_request', `snapshot.kind: expected ${expected.kind}; this is one of another kind`)
  }
  if (version > expected.version) {
    throw new Failure(
      'unsupported',
      `snapshot.version: ${version} was made by a newer version; this one reads up to ${expected.version}`,
    )
  }
  return JSON.parse(payload) as unknown
}

/** An array, so that no two snapshots can be spelled alike. */
function macOf({ version, kind, payload }: Omit<Snapshot, 'signature'>, secret: string): string {
  if (secret === '') {
    throw new Failure('not_configured', 'Snapshots are signed, and this deployment lacks the secret to sign them with.')
  }
  return createHmac('sha256', secret)
    .update(JSON.stringify(['pilotlight snapshot', version, kind, payload]))
    .digest('hex')
}
