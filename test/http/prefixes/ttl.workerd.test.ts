import { expect, it } from 'vitest'
import { prefixAnswer } from '../../../src/contract/prefix.ts'
import { anthropicBody, get, pick, post, useLab, warm } from '../support.ts'

const world = useLab()
const HOUR = { cache: { retention: '1h' } }

async function ttlOf(id: unknown) {
  return prefixAnswer.parse((await get(`/prefixes/${String(id)}`)).json).ttl
}

it('a receipt shows the lifetime that our own calls asked for, carried and got', async () => {
  const answer = await warm(anthropicBody(), HOUR)
  expect(answer.status).toBe(200)
  expect(await ttlOf(pick(answer, 'id'))).toMatchObject({
    asked: { requests: null, probes: '1h' },
    sent: { requests: null, probes: '1h' },
    honoured: { requests: null, probes: '1h' },
    observed: { alive_after: null, gone_after: null },
  })
})

it('an hour that the provider wrote as five minutes is told as such', async () => {
  world.lab.faults.add({ kind: 'downgrade_ttl', times: 1 })
  const answer = await warm(anthropicBody(), HOUR)
  const ttl = await ttlOf(pick(answer, 'id'))
  expect(ttl).toMatchObject({ asked: { probes: '1h' }, sent: { probes: '1h' }, honoured: { probes: '5m' } })
  expect(ttl.why).toBe('the provider wrote 5 min where our own calls carried 60 min')
})

it('real requests have a part of their own, and reads show how long the entry lives', async () => {
  const body = anthropicBody()
  const answer = await warm(body, HOUR)
  const id = pick(answer, 'id')
  const { measured_tokens: tokens } = prefixAnswer.parse((await get(`/prefixes/${String(id)}`)).json)
  const usage = {
    input_tokens: 5,
    output_tokens: 5,
    cache_read_input_tokens: 0,
    cache_creation_input_tokens: tokens,
    cache_creation: { ephemeral_5m_input_tokens: tokens, ephemeral_1h_input_tokens: 0 },
  }
  const one = { provider: 'anthropic', request: body, usage, started_at: new Date().toISOString() }
  expect(pick(await post('/observations', [one]), 'data', 0, 'prefix_id')).toBe(id)
  expect(await ttlOf(id)).toMatchObject({
    asked: { requests: null, probes: '1h' },
    sent: { requests: null, probes: '1h' },
    honoured: { requests: '5m', probes: '1h' },
  })
})
