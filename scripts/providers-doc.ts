import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { usd } from '../src/core/model/price.ts'
import type { Price, Rates, RetentionOffer } from '../src/core/model/facts.ts'
import { variablesOf } from '../src/providers/transport/address.ts'
import { cards } from '../src/providers/registry.ts'
import { FACT_NAMES } from '../src/providers/card.ts'
import type { Card, ModelCard } from '../src/providers/card.ts'
import { HOUR_MS, MINUTE_MS } from '../src/core/time/time.ts'

/** Generates docs/providers.md from the cards. `node scripts/providers-doc.ts` writes it; `--check` fails if it differs. */

const path = join(import.meta.dirname, '../docs/providers.md')

export function providersDoc(): string {
  return [
    '# Providers',
    '',
    '`node scripts/providers-doc.ts` writes this page from the cards in `src/providers`; do not edit it here.',
    '*Unknown* means that the source beside it does not say. A deployment shows the same facts at `GET /providers`.',
    '*Shared by* says what prompts must have in common to share an entry: whole blocks, or tokens; and how many requests with one beginning reach one machine.',
    'An *assumed* retention is our first guess; receipts change it within the given bounds. No page states what a sentence that starts with *Assumed:* says.',
    '',
    '| Provider | Wire format | Secret | Variables | Warmed |',
    '| --- | --- | --- | --- | --- |',
    ...cards.map((card) => {
      const variables = variablesOf(card).map((name) => `\`${name}\``)
      const warmed = card.refusal === undefined ? 'yes' : card.refusal.byDefault ? 'only if allowed' : 'no'
      return `| [\`${card.id}\`](#${card.id}) | ${card.dialect.id} | \`${card.secret}\` | ${variables.join(', ')} | ${warmed} |`
    }),
    '',
    ...cards.flatMap(section),
  ].join('\n')
}

function section(card: Card): string[] {
  const { auth, wire = {} } = card
  const key =
    auth.header === 'authorization-bearer' ? 'Authorization: Bearer …' : `${auth.header}: ${auth.scheme ?? ''} …`
  const steers = [wire.keyMember && `\`${wire.keyMember}\` (body)`, wire.keyHeader && `\`${wire.keyHeader}\` (header)`]
  return [
    `## ${card.id}`,
    '',
    `${card.name} at \`${card.baseUrl}\`, \`${key.replace(':  …', ': …')}\`. Source: <${card.source}>, checked ${card.checked}.`,
    '',
    ...(card.refusal === undefined
      ? []
      : [
          `**Not warmed${card.refusal.byDefault ? ` unless \`WARM_ANYWAY\` names it` : ''}:** ${card.refusal.why}.`,
          '',
        ]),
    ...(card.answerTimeoutMs === undefined
      ? []
      : [`A call may take ${card.answerTimeoutMs / MINUTE_MS} minutes to be answered.`, '']),
    ...(card.serviceAccounts === true
      ? [
          'The credential is an access token, or the text of a Google service-account key file. Pilotlight exchanges that for access tokens.',
          '',
        ]
      : []),
    ...(steers.some(Boolean) ? [`\`cache.key\` goes into ${steers.filter(Boolean).join(' and ')}.`, ''] : []),
    ...((card.callerHeaders ?? []).length === 0
      ? []
      : [
          `Probes carry these headers of real requests, if they are given: ${card.callerHeaders?.map((name) => `\`${name}\``).join(', ')}.`,
          '',
        ]),
    ...FACT_NAMES.map((name) => {
      const { says, source, checked } = card.facts[name]
      const where =
        source === card.source && checked === card.checked
          ? ''
          : ` (${/^https:\S+$/.test(source) ? `<${source}>` : source}, ${checked})`
      return `- ${name}: ${says?.replace('Assumed:', '*Assumed:*') ?? '*unknown*'}${where}`
    }),
    tokensOf(card),
    '',
    ...table(card.models),
  ]
}

/** The most tokens of a request, as reservations count them. */
function tokensOf({ tokens }: Card): string {
  if (tokens === undefined) return '- tokens: *unknown*; a byte may be a token, and parts without bytes have no limit'
  const { added, parts, vocabulary, count, says, source, checked } = tokens
  const most = Object.entries(parts).map(([kind, number]) => `${kind} ${number}`)
  const figures = [
    `added: request ${added.request}, message ${added.message}, tool ${added.tool}, any tool ${added.anyTool}`,
    `parts: ${most.join(', ')}`,
    ...(vocabulary === undefined ? [] : [`o200k × ${vocabulary.ratio}: ${vocabulary.models.join(' ')}`]),
    ...(count === undefined
      ? []
      : [
          `its own count + ${count.share * 100} % + ${count.tokens}${count.models === undefined ? '' : `, of ${count.models.join(' ')}`}`,
        ]),
  ]
  const where = source.startsWith('https://') && !source.includes(' ') ? `<${source}>` : source
  return `- tokens: ${says.replaceAll('Assumed:', '*Assumed:*')} In figures: ${figures.join('; ')} (${where}, ${checked})`
}

function table(rows: readonly ModelCard[]): string[] {
  if (rows.length === 0) return ['No model is described.', '']
  return [
    '| Models | Minimum | Shared by | Retentions | Probes | USD per million tokens: input / read / write / output |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows.map(({ models, facts, prices }) =>
      [
        '',
        models.map((id) => `\`${id}\``).join(' '),
        facts.minimumTokens ?? '*unknown*',
        shared(facts),
        facts.retentions.map(retention).join('; '),
        facts.primitives.join(', '),
        prices.length === 0 ? '*unknown*' : prices.map(priced).join('; '),
        '',
      ]
        .join(' | ')
        .trim(),
    ),
    '',
  ]
}

function shared({ sharedBy, spill }: ModelCard['facts']): string {
  const by = sharedBy ?? '*unknown*'
  return spill === undefined ? by : `${by}, ${spill.requests} requests in ${minutes(spill.everyMs)}`
}

function retention({ name, kind, ttlMs, assumed, minTtlMs, maxTtlMs }: RetentionOffer): string {
  const bounds = assumed ? `, *assumed* ${minutes(minTtlMs)} to ${minutes(maxTtlMs)}` : ''
  return `${name} (${kind}, ${minutes(ttlMs)}${bounds})`
}

function minutes(ms: number): string {
  return ms % HOUR_MS === 0 ? `${ms / HOUR_MS} h` : `${ms / MINUTE_MS} min`
}

function priced(price: Price): string {
  const long = price.over === undefined ? '' : `; over ${price.over.tokens} tokens ${rates(price.over)}`
  const { peak } = price
  const hours = peak?.hoursUtc.map(({ from, until }) => `${from} to ${until} h`).join(' and ')
  const busy = peak === undefined ? '' : `; on weekdays from ${hours} UTC ${rates(peak)}`
  return `${rates(price)}${long}${busy} (from ${price.from})`
}

function rates(of: Rates): string {
  const writes = Object.entries(of.cacheWriteNanosPerMTok).map(([name, nanos]) => `${name} ${usd(nanos)}`)
  const write = writes.length === 0 ? '?' : writes.join(', ')
  return `${usd(of.inputNanosPerMTok)} / ${usd(of.cacheReadNanosPerMTok)} / ${write} / ${usd(of.outputNanosPerMTok)}`
}

if (import.meta.main) {
  const text = providersDoc()
  if (!process.argv.includes('--check')) writeFileSync(path, text)
  else if (readFileSync(path, 'utf8') !== text) {
    console.error('docs/providers.md is not what the cards say; run node scripts/providers-doc.ts')
    process.exitCode = 1
  }
}
