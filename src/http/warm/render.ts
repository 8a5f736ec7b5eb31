import { warmBody } from '../../contract/warm.ts'
import { withMarkers } from '../../providers/prefix/with-markers.ts'
import { sha256 } from '../../runtime/ids.ts'
import { accountReads } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { router } from '../server/context.ts'
import { WARM_RAW } from '../../registration/json-body.ts'
import { handleBodyOf, renderHandle } from './handle.ts'
import { prepared } from './plan.ts'
import { probeJson } from '../present/probe.ts'
import { credentialsNamed } from '../server/credential.ts'

/** Shows what a warm of the same body would register and send, byte for byte. Nothing is stored or sent. */
export const render = router().post('/render', accountReads, async (c) => {
  const body = await readBody(c, warmBody, { raw: WARM_RAW })
  const refers = handleBodyOf(body)
  if (refers !== null) return c.json(await renderHandle(c, body, refers))
  const known = await credentialsNamed(c, [body.credential])
  const { card, facts, prefix, registration } = prepared(c, body, known, { anySize: true })
  const { fingerprint, maxOutputTokens, primitives, headers = {} } = registration
  return c.json({
    provider: card.id,
    model: prefix.model,
    fingerprint,
    body: prefix.text,
    marked_body: withMarkers(card, prefix.text, prefix.retention),
    sha256: sha256(prefix.text),
    prefix_ends_at: prefix.breakpoint,
    estimated_tokens: prefix.estimatedTokens,
    minimum_tokens: facts.minimumTokens,
    retention: prefix.retention,
    probe: probeJson(card, prefix, primitives[0], maxOutputTokens, headers),
    advice: registration.advice,
  })
})
