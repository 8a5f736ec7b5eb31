/**
 * Google's token endpoint: a service account's signed assertion for an access token. Source:
 * developers.google.com/identity/protocols/oauth2/service-account, checked 2026-11-21.
 */
import { importSPKI, jwtVerify } from 'jose'
import { Refusal } from './dialect.ts'

const AUDIENCE = 'https://oauth2.googleapis.com/token'
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const LIFE_S = 3_600
/** Clocks may differ by so much. */
const SKEW_S = 60

function refusal(error: string, description: string): Refusal {
  return new Refusal(400, { error, error_description: description }, { 'content-type': 'application/json' })
}

/** `keys`: public keys (SPKI in PEM) by the service account's address. Throws a `Refusal`. */
export async function exchange(
  form: string,
  keys: ReadonlyMap<string, string>,
  now: number,
  seq: number,
): Promise<{ access_token: string; expires_in: number; token_type: string }> {
  const fields = new URLSearchParams(form)
  if (fields.get('grant_type') !== GRANT) throw refusal('unsupported_grant_type', 'Invalid grant_type')
  const assertion = fields.get('assertion') ?? ''
  const [, claims = ''] = assertion.split('.')
  const issuer = issuerOf(claims)
  const key = issuer === null ? undefined : keys.get(issuer)
  if (issuer === null || key === undefined) throw refusal('invalid_grant', 'Invalid grant: account not found')
  try {
    const { payload } = await jwtVerify(assertion, await importSPKI(key, 'RS256'), {
      algorithms: ['RS256'],
      audience: AUDIENCE,
      currentDate: new Date(now),
      clockTolerance: SKEW_S,
      maxTokenAge: LIFE_S,
      requiredClaims: ['iss', 'scope', 'aud', 'iat', 'exp'],
    })
    if ((payload.exp ?? 0) - (payload.iat ?? 0) > LIFE_S) throw new Error('too long')
  } catch {
    throw refusal('invalid_grant', `Invalid JWT Signature, audience or lifetime for ${issuer}`)
  }
  const content = JSON.stringify({ sub: issuer, exp: now + LIFE_S * 1_000, seq })
  return { access_token: `${PREFIX}${btoa(content)}`, expires_in: LIFE_S - 1, token_type: 'Bearer' }
}

const PREFIX = 'ya29.lab.'

/** False for a token of this lab whose time has passed. Others are taken as they are. */
export function isLiving(token: string, now: number): boolean {
  if (!token.startsWith(PREFIX)) return true
  const content = JSON.parse(atob(token.slice(PREFIX.length))) as { exp: number }
  return content.exp > now
}

function issuerOf(claims: string): string | null {
  try {
    const { iss } = JSON.parse(atob(claims.replaceAll('-', '+').replaceAll('_', '/'))) as { iss?: unknown }
    return typeof iss === 'string' ? iss : null
  } catch {
    return null // not a JWT: nobody is known by it
  }
}
