import { hkdfSync } from 'node:crypto'
import { pack, unpack } from '../../runtime/bytes.ts'
import type { Vars } from '../../runtime/env.ts'
import { openBytes, printIn, printOf, sealBytes } from '../../runtime/sealed-bytes.ts'
import { readObservations } from '../observation.ts'
import type { ObservationGroup, ObservationMessage } from '../observation.ts'

/**
 * A message as the queue holds it: what calls showed is sealed for their account. Who reads the queue sees whose calls they were and how much they
 * showed, and cannot tell whether two accounts, or two messages, hold the same. Its members are stored words.
 */
export interface SealedMessage extends Pick<ObservationMessage, 'id' | 'at'> {
  v: 2
  groups: { account: string; sealed: string }[]
}

type Secrets = Pick<Vars, 'KEY_ENCRYPTION_SECRET' | 'KEY_ENCRYPTION_SECRET_PREVIOUS' | 'ADMIN_KEY'>

/** Seals a message: gzip, then AES-256-GCM under a key of the deployment and the account. */
export function sealedMessage({ id, at, groups }: ObservationMessage, secrets: Secrets): SealedMessage {
  const sealed = groups.map(({ account, ...shown }) => {
    const [key = ''] = keysFor(account, secrets)
    return { account, sealed: Buffer.from(sealBytes(pack(JSON.stringify(shown)), key, account)).toString('base64') }
  })
  return { v: 2, id, at, groups: sealed }
}

/**
 * Reads a message of the queue. Null: it has no form that is known, or was sealed with secrets that the deployment no longer has. Messages that the
 * version before this one sent are not sealed; the next version need not read them.
 */
export function openedMessage(body: unknown, secrets: Secrets): ObservationMessage | null {
  if (typeof body !== 'object' || body === null) return null
  const { v, groups, ...rest } = body as Partial<SealedMessage>
  if (v !== 2) return readObservations(body)
  try {
    return readObservations({ ...rest, v: 1, groups: groups?.map((group) => openedGroup(group, secrets)) })
  } catch {
    return null
  }
}

function openedGroup({ account, sealed }: SealedMessage['groups'][number], secrets: Secrets): ObservationGroup {
  const bytes = new Uint8Array(Buffer.from(sealed, 'base64'))
  const print = printIn(bytes)
  const key = keysFor(account, secrets).find((one) => printOf(one) === print)
  // Bytes without a print are not ours: they would be taken as they are.
  if (key === undefined) throw new Error('sealed with another secret')
  return { ...(JSON.parse(unpack(openBytes(bytes, key, account))) as Omit<ObservationGroup, 'account'>), account }
}

/** Keys of an account, from secrets that the deployment has. The first one seals, and each opens: a message may be under way while a secret changes. */
function keysFor(account: string, secrets: Secrets): string[] {
  const { KEY_ENCRYPTION_SECRET, KEY_ENCRYPTION_SECRET_PREVIOUS, ADMIN_KEY } = secrets
  return [KEY_ENCRYPTION_SECRET, KEY_ENCRYPTION_SECRET_PREVIOUS, ADMIN_KEY].flatMap((secret = '') => {
    if (secret.trim() === '') return []
    const key = hkdfSync('sha256', secret.trim(), account, 'pilotlight observations', 32)
    return [Buffer.from(key).toString('base64url')]
  })
}
