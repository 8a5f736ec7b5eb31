import { generateKeyPairSync } from 'node:crypto'

/** A service-account key as Google's console exports it, and its public key. */
export interface MadeKey {
  email: string
  /** The text of the key file. */
  file: string
  publicKey: string
}

let made = 0

/** A new key, different in each call. */
export function serviceAccountKey(more: Record<string, unknown> = {}): MadeKey {
  made += 1
  const email = `warmer-${made}@shop.iam.gserviceaccount.com`
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  const file = {
    type: 'service_account',
    project_id: 'shop',
    private_key_id: `key-${made}`,
    private_key: privateKey,
    client_email: email,
    token_uri: 'https://tokens.evil.test/token',
    universe_domain: 'googleapis.com',
    ...more,
  }
  return { email, file: JSON.stringify(file, null, 2), publicKey }
}
