import { describe, expect, it } from 'vitest'
import { readLog } from '../../../src/cli/log/traffic.ts'
import { bytesOf } from '../support.ts'

const attribute = (key: string, value: string) => ({ key, value: { stringValue: value } })

/** A request of a layer. */
const span = (spanId: string, parentSpanId: string, minute: number, operation = 'chat', input = 20_050) => ({
  traceId: 't1',
  spanId,
  parentSpanId,
  startTimeUnixNano: `${1793692800 + minute * 60}000000000`,
  attributes: [
    attribute('gen_ai.operation.name', operation),
    attribute('gen_ai.provider.name', 'anthropic'),
    attribute('gen_ai.request.model', 'claude-opus-4-8'),
    attribute('gen_ai.usage.input_tokens', String(input)),
  ],
})

const record = (...spans: object[]): string => `${JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] })}\n`

const AROUND = 'spans that repeat the tokens of their children'

describe('a request that two layers log, one around the other', () => {
  it.each([
    ['in one record, the outer one first', record(span('a', 'root', 0), span('b', 'a', 0))],
    ['in one record, the inner one first', record(span('b', 'a', 0), span('a', 'root', 0))],
    ['in two records, as they end', record(span('b', 'a', 0)) + record(span('a', 'root', 0))],
  ])('counts once: %s', async (_what, text) => {
    const { requests, leftOut } = await readLog(bytesOf(text))
    expect([requests, leftOut]).toEqual([1, { [AROUND]: 1 }])
  })

  it('counts twice where the requests stand beside each other, or a tool between them', async () => {
    const text = record(
      span('a', 'root', 0),
      span('c', 'root', 1),
      span('tool', 'a', 1, 'execute_tool'),
      span('d', 'tool', 2, 'chat', 30_000),
    )
    const { requests, leftOut } = await readLog(bytesOf(text))
    expect([requests, leftOut]).toEqual([3, { 'spans that are not requests to a model': 1 }])
  })
})
