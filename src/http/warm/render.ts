import { warmBody } from '../../contract/warm.ts'
import { withMarkers } from '../../providers/prefix/with-markers.ts'
import { sha256 } from '../../runtime/ids.ts'
import { placeOf } from '../../runtime/env.ts'
import { account } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { clockOf, router } from '../server/context.ts'
import { prepareWarm, WARM_RAW } from '../../registration/prepare.ts'
import { probeJson } from '../present/probe.ts'
import { credentialsNamed } from '../server/credential.ts'
import { useOf } from '../../registration/credential-use.ts'

/** What a warm of the same body would register and send, byte for byte. Nothing is stored and nothing is sent. */
export const render = router().post('/render', account, async (c) => {
  const body = await readBody(c, warmBody, { raw: WARM_RAW })
  const credential = useOf(body.credential, await credentialsNamed(c, [body.credential]))
  const { card, facts, prefix, fingerprint, registration, headers } = prepareWarm(
    body,
    clockOf(c).now(),
    credential,
    (one) => placeOf(one, c.env),
    { anySize: true },
  )
  const { maxOutputTokens, primitives } = registration
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
