import type { StoredBody } from '../calls/probe.ts'
import { withCredentials } from '../providers/dialects/shared/credentials.ts'
import { unpack } from '../runtime/bytes.ts'
import type { Vars } from '../runtime/env.ts'
import { openedCredentials } from '../runtime/seal.ts'
import type { StoredPrefix } from './record.ts'

/**
 * What a probe is built from, with the credentials of the body in their places. They are opened here, right before the request is sent,
 * and nowhere else. Throws `not_configured` where the deployment cannot open them.
 */
export function storedBody(
  { bytes, breakpoint, cacheKey, headers, place, region, credentials }: StoredPrefix,
  vars: Vars,
): StoredBody {
  const text = unpack(bytes)
  return {
    text: credentials === undefined ? text : withCredentials(text, openedCredentials(credentials, vars)),
    breakpoint,
    cacheKey,
    headers,
    ...(place === undefined ? {} : { place }),
    ...(region === undefined ? {} : { region }),
  }
}
