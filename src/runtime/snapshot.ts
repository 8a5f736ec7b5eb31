import { createHmac, timingSafeEqual } from 'node:crypto'
import { Failure } from '../contract/failure.ts'

/** Exported state that can be imported again. It is readable, and its signature shows a change. */
export interface Snapshot {
  version: number
  /** Kind of object that it was taken of. Objects of another kind refuse it. */
  kind: string
  /** JSON text, because the signature covers its bytes. */
  payload: string
  /** HMAC-SHA256 over version, kind and payload, in hex. */
  signature: string
}

export function signSnapshot(of: Omit<Snapshot, 'signature'>, secret: string): Snapshot {
  return { ...of, signature: macOf(of, secret) }
}

/**
 * Returns the payload of a snapshot that this deployment signed. Throws `invalid_request` when it was changed, signed elsewhere
 * or is of another kind, and `unsupported` when a newer version of the product made it.
 */
export function openSnapshot(given: Snapshot, expected: { version: number; kind: string }, secret: string): unknown {
  const { version, kind, payload, signature } = given
  const mac = Buffer.from(macOf({ version, kind, payload }, secret))
  const theirs = Buffer.from(String(signature))
  if (theirs.length !== mac.length || !timingSafeEqual(theirs, mac)) {
    throw new Failure(
      'invalid_request',
      'snapshot: its signature is invalid; it was changed, or signed by another deployment',
    )
  }
  if (kind !== expected.kind) {
    throw new Failure('invalid_request', `snapshot.kind: expected ${expected.kind}, but this snapshot has another kind`)
  }
  if (version > expected.version) {
    throw new Failure(
      'unsupported',
      `snapshot.version: ${version} is too new; this deployment reads versions up to ${expected.version}`,
    )
  }
  return JSON.parse(payload) as unknown
}

/** The signed text is a JSON array, so that two snapshots never give the same text. */
function macOf({ version, kind, payload }: Omit<Snapshot, 'signature'>, secret: string): string {
  if (secret === '') {
    throw new Failure(
      'not_configured',
      'This deployment cannot sign snapshots because KEY_ENCRYPTION_SECRET is missing.',
    )
  }
  return createHmac('sha256', secret)
    .update(JSON.stringify(['pilotlight snapshot', version, kind, payload]))
    .digest('hex')
}
