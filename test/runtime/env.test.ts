import { describe, expect, it } from 'vitest'
import { cardById } from '../../src/providers/registry.ts'
import { accessTo, placeOf, takesRegion } from '../../src/runtime/env.ts'

const vars = { BEDROCK_REGION: 'us-east-1', VERTEX_LOCATION: 'europe-west4', VERTEX_PROJECT: 'p' } as object
const card = (id: string) => cardById(id)!

describe('a region', () => {
  it.each([
    ['bedrock', 'eu-west-1', 'https://bedrock-runtime.eu-west-1.amazonaws.com'],
    ['bedrock-openai', 'eu-west-1', 'https://bedrock-mantle.eu-west-1.api.aws/openai/v1'],
    [
      'vertex',
      'us-central1',
      'https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google',
    ],
    ['vertex', 'global', 'https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google'],
    [
      'vertex-anthropic',
      'us-east5',
      'https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic/models',
    ],
  ])('of %s: %s is in its address', (id, region, url) => {
    expect(accessTo(card(id), vars, region)).toMatchObject({ baseUrl: url, refusal: null })
    expect(accessTo(card(id), vars, region).homeUrl).toBe(accessTo(card(id), vars).baseUrl)
  })

  it('needs no variable of the deployment', () => {
    expect(accessTo(card('bedrock'), {}).refusal).toMatchObject({ kind: 'not_configured' })
    expect(accessTo(card('bedrock'), {}, 'eu-west-1')).toMatchObject({
      baseUrl: 'https://bedrock-runtime.eu-west-1.amazonaws.com',
      refusal: null,
    })
  })

  it('is a place of its own, and that of the deployment where it is the same one', () => {
    for (const id of ['bedrock', 'vertex']) {
      const places = ['eu-west-1', 'eu-west-3', undefined].map((region) => placeOf(card(id), vars, region))
      expect(new Set(places).size).toBe(3)
    }
    expect(placeOf(card('bedrock'), vars, 'us-east-1')).toBe(placeOf(card('bedrock'), vars))
    const lab = { ENVIRONMENT: 'development', LAB_URL: 'http://lab.test', LAB_PROVIDERS: 'bedrock' }
    expect(placeOf(card('bedrock'), lab)).toBeNull()
    expect(placeOf(card('bedrock'), lab, 'eu-west-1')).not.toBeNull()
    expect(placeOf(card('bedrock'), lab, 'eu-west-1')).not.toBe(placeOf(card('bedrock'), lab, 'eu-west-3'))
  })

  it('is taken where the address has one', () => {
    expect(['bedrock', 'vertex', 'anthropic', 'openai'].map((id) => takesRegion(card(id)))).toEqual([
      true,
      true,
      false,
      false,
    ])
    expect(placeOf(card('anthropic'), vars, 'eu-west-1')).toBeNull()
  })
})
