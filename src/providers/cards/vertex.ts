import { assumed, facts } from './build.ts'
import { gemini } from './gemini.ts'
import { vertexManagedCaches } from '../managed-cache/vertex.ts'
import type { Card } from '../card.ts'
import { HOUR_MS, MINUTE_MS } from '../../core/time/time.ts'
import { GEMINI_COUNTED_BY_VERTEX } from './tokens.ts'

const DOCS =
  'https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/context-cache/context-cache-overview'

/** Entries are in memory and on a durable tier, and end within 24 hours of creation. No minimum is documented. */
const IMPLICIT = assumed('implicit', 5 * MINUTE_MS, 3 * MINUTE_MS, 24 * HOUR_MS)

/**
 * The credential is a service-account key, which is exchanged for access tokens; or an access token of Google's OAuth, which lives for an
 * hour and which the operator has to renew.
 */
export const vertex: Card = {
  ...gemini,
  id: 'vertex',
  alsoCalled: ['google-vertex', 'vertexai'],
  spanName: 'gcp.vertex_ai',
  comparesMemberOrder: true, // seen by users, in no document: github.com/prism-php/prism, issue 1011; checked 2026-11-30
  aliases: ['vertex_ai', 'gcp.vertex_ai', 'google-vertex-ai', 'google-vertex'],
  name: 'Vertex AI generateContent',
  baseUrl:
    'https://{VERTEX_LOCATION}-aiplatform.googleapis.com/v1/projects/{VERTEX_PROJECT}/locations/{VERTEX_LOCATION}/publishers/google',
  baseUrlWhen: {
    'VERTEX_LOCATION=global':
      'https://aiplatform.googleapis.com/v1/projects/{VERTEX_PROJECT}/locations/global/publishers/google',
  },
  region: 'VERTEX_LOCATION',
  auth: { header: 'authorization-bearer' },
  wire: { version: '', countedIn: null },
  managedCaches: vertexManagedCaches,
  serviceAccounts: true,
  labPath: '/vertex/v1/projects/lab/locations/lab/publishers/google',
  secret: 'VERTEX_ACCESS_TOKEN',
  // Of Gemini 1.5 Pro; later models take half of it. Source: ai.google.dev, "Long context"; checked 2026-11-30.
  contextTokens: 2_097_152,
  models: gemini.models.map((row) => ({ ...row, facts: { ...row.facts, retentions: [IMPLICIT] }, source: DOCS })),
  tokens: GEMINI_COUNTED_BY_VERTEX,
  facts: facts(DOCS, {
    mechanism: 'Implicit prefix cache, and handles (cachedContents) of the project and location.',
    granularity: 'From 2048 tokens (2.x) or 4096 (3.x); one page says 6144 for 3.x Flash.',
    clock:
      'Implicit entries go within 24 hours of being made; handles live 60 minutes unless told otherwise, at least one.',
    affinity: 'None to set; locations share nothing.',
    settings: 'Assumed: as at the Gemini API.',
    writes: 'Not reported and not charged, but for the storage of handles.',
    usage: 'usageMetadata: promptTokenCount includes cachedContentTokenCount.',
    price: 'Reads at 0.1 × input (0.25 × on 2.0).',
    errors: "Google's: {error: {code, status, message, details[]}}, the wait in RetryInfo.",
  }),
  source: DOCS,
}
