// Prints the number of probes up to break-even in one idle gap, for models of the shipped cards: the figures of docs/planner.md.
//
//   npx node examples/break-even.mjs [tokens]
//
// Needs no server and no key. It computes with the product's own functions and cards.
import { breakEvenProbes, readNanos, usd, writeNanos } from '../src/core/model/price.ts'
import { leadMs } from '../src/core/time/latency.ts'
import { cardById, modelFacts } from '../src/providers/registry.ts'

const tokens = Number(process.argv[2] ?? 20_000)
if (!Number.isSafeInteger(tokens) || tokens < 1) {
  console.error('Usage: npx node examples/break-even.mjs [tokens]')
  process.exit(2)
}

const rows = [
  ['anthropic', 'claude-opus-4-8', '5m'],
  ['anthropic', 'claude-opus-4-8', '1h'],
  ['anthropic', 'claude-opus-5-5', '5m'],
  ['anthropic', 'claude-fable-5-1', '5m'],
  ['openai', 'gpt-5.6-sol', '30m'],
  ['openai', 'gpt-6.1-sol', '30m'],
  ['openai-chat', 'gpt-5.6-sol', '30m'],
  ['openai-chat', 'gpt-4o', 'in_memory'],
  ['gemini', 'gemini-2.5-pro', 'implicit'],
]
/** Output tokens in the plans' computations: the most that a probe of the wire format may need. */
const outputTokens = { anthropic: 1, openai: 16, 'openai-chat': 16, gemini: 16 }

console.log('| Provider | Model | Retention | Write | Read | Probes | Held for |')
console.log('|---|---|---|--:|--:|--:|--:|')
for (const [provider, model, name] of rows) {
  const facts = modelFacts(cardById(provider), model, Date.UTC(2026, 10, 21))
  const retention = facts.retentions.find((one) => one.name === name)
  const { price } = facts
  const write = writeNanos(tokens, 0, price, name)
  const read = readNanos(tokens, 0, price)
  const probes = breakEvenProbes(tokens, outputTokens[provider], price, name)
  const cadenceMs = retention.ttlMs - leadMs(retention.ttlMs, 1_000)
  const held = probes === 0 ? 'not at all' : spell(probes * cadenceMs + retention.ttlMs)
  const shown = `${name}${retention.assumed ? ' (assumed)' : ''}`
  console.log(`| ${provider} | ${model} | ${shown} | ${dollars(write)} | ${dollars(read)} | ${probes} | ${held} |`)
}

function dollars(nanos) {
  return `$${usd(nanos).toFixed(4)}`
}

function spell(ms) {
  const minutes = Math.round(ms / 60_000)
  const hours = Math.floor(minutes / 60)
  return hours === 0 ? `${minutes} min` : `${hours} h ${minutes % 60} min`
}
