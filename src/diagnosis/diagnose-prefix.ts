import { Failure } from '../contract/failure.ts'
import type { PrefixDiagnoseBody, SentRequest } from '../contract/diagnosis.ts'
import { RawJson } from '../contract/raw-json.ts'
import { member, readJson } from '../core/prompt/json-text.ts'
import type { KeptSketch } from '../registration/misses/kept-sketch.ts'
import type { Card } from '../providers/card.ts'
import { diagnosed } from './diagnose.ts'
import type { DiagnosisJson } from './diagnose.ts'

/** A registered prefix, as a request is held against it. */
export interface StoredPrefix {
  card: Card
  /** Its body, with the markers that real requests should have; where it was erased, what is kept of it. */
  body: { text: string } | KeptSketch
  model: string
  cacheKey: string | null
  /** What the provider's last answer about it, and its last use, show. */
  sent: Pick<SentRequest, 'headers' | 'usage' | 'started_at' | 'credential'>
}

/** Says why a request did not read a registered prefix. Throws `invalid_request` with the field. */
export function diagnosePrefix(
  { card, body, model, cacheKey, sent }: StoredPrefix,
  given: PrefixDiagnoseBody,
  now: number,
): DiagnosisJson {
  const { request } = given
  if (!card.dialect.recognises(readJson(request.text, 'request')))
    throw new Failure('invalid_request', `request: is no body of ${card.id}, the provider of this prefix.`, {
      field: 'request',
    })
  const after = member(readJson(request.text), 'model') === undefined ? { model, ...given } : given
  const isErased = 'salt' in body
  const before = { ...sent, ...(isErased ? {} : { request: new RawJson(body.text) }), model }
  return diagnosed(card, { before, after, between: [] }, now, cacheKey, isErased ? body : null)
}
