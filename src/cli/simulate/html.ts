import { answerOf, modelFigures, wholeAnswer } from './answer.ts'
import {
  best,
  day,
  days,
  dollars,
  isClipped,
  planName,
  retentionWords,
  saved,
  scaleOf,
  verdict,
  whole,
} from './figures.ts'
import type { Outcome } from './outcomes.ts'
import { counted, leftWords, modelRemarks, monthWords, prefixAnswers } from './text.ts'
import type { ModelResult, PrefixResult, Simulation } from './simulation.ts'

/** Writes the result as one self-contained page: no script, no font, no network. */
export function simulationHtml(result: Simulation, name: string, format: string): string {
  const { fromAt, toAt, requests, models, total } = result
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(name)}: what keeping warm would have cost</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>What keeping warm would have cost</h1>
<p class="verdict">${escaped(wholeAnswer(result).sentence)}</p>
<p><b>${escaped(name)}</b>: ${counted(requests, 'request', 'requests')} from ${day(fromAt)} to ${day(toAt)} (${days(toAt - fromAt)}), read as ${escaped(format)}.</p>
${models.map((model) => modelHtml(model, result)).join('\n')}
${models.length > 1 ? `<section>\n<h2>All models</h2>\n<p>Each at its default retention.</p>\n${chart(total)}\n${planTable(total)}\n</section>` : ''}
${leftHtml(result)}
<footer><p>Replayed by <code>pilotlight simulate</code>: money for the tokens of the prefixes alone. The plan “clairvoyant” knows every arrival in advance: no plan can cost less.</p></footer>
</main>
</body>
</html>
`
}

const PARTS = [
  { name: 'reads', of: (one: Outcome) => one.readsNanos },
  { name: 'writes', of: (one: Outcome) => one.writesNanos },
  { name: 'probes', of: (one: Outcome) => one.probesNanos },
] as const

const ROW_PX = 44
const BAR_PX = 16

function modelHtml(model: ModelResult, result: Simulation): string {
  const { provider, prefixes, requests, pricesFrom, checked, outcomes } = model
  const remarks = modelRemarks(model).map((remark) => `<p class="remark">${escaped(remark)}</p>`)
  return `<section>
<h2>${escaped(provider)} ${escaped(model.model)}</h2>
<p>${counted(prefixes, 'prefix', 'prefixes')}, ${counted(requests, 'request', 'requests')}. Prices from ${escaped(pricesFrom)}, checked ${escaped(checked)}; retention ${escaped(model.retentions.map(retentionWords).join(', '))}.</p>
${paragraphs([...(result.models.length > 1 ? [answerOf(modelFigures(model, result)).sentence] : []), verdict(model), monthWords(outcomes, result) ?? ''])}
${remarks.join('\n')}
${chart(outcomes)}
${planTable(outcomes)}
${prefixes > 1 ? prefixTable(model) : ''}
${paragraphs(prefixAnswers(model, result))}
</section>`
}

function paragraphs(sentences: readonly string[]): string {
  return sentences
    .filter((sentence) => sentence !== '')
    .map((sentence) => `<p class="verdict">${escaped(sentence)}</p>`)
    .join('\n')
}

/** Draws a bar for each plan. Lengths are shares of the width, so that text keeps its size on a narrow screen. */
function chart(outcomes: readonly Outcome[]): string {
  const most = Math.max(1, scaleOf(outcomes))
  const rows = outcomes.map((one, index) => {
    const top = index * ROW_PX
    let before = 0
    const parts = PARTS.map(({ name, of }) => {
      const x = (100 * before) / most
      before += of(one)
      const width = (100 * of(one)) / most
      return `<rect class="${name}" x="${x.toFixed(3)}%" y="${top + 20}" width="${width.toFixed(3)}%" height="${BAR_PX}"/>`
    })
    return `<text x="0" y="${top + 14}">${escaped(planName(one))}</text><text class="money" x="100%" y="${top + 14}">${dollars(one.costNanos)}${isClipped(one, most) ? ' →' : ''}</text>${parts.join('')}`
  })
  const legend = PARTS.map(({ name }) => `<span><i class="${name}"></i>${name}</span>`).join('')
  return `<figure>
<svg width="100%" height="${outcomes.length * ROW_PX}" role="img" aria-label="Cost of each plan; the table below has the figures">${rows.join('\n')}</svg>
<figcaption>${legend}</figcaption>
</figure>`
}

function planTable(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map((one) => {
    const gain = one === outcomes[0] ? '' : dollars(saved(one, outcomes))
    const parts = [one.readsNanos, one.writesNanos, one.probesNanos].map(dollars)
    return row(planName(one), [dollars(one.costNanos), gain, whole(one.coldStarts), whole(one.probes), ...parts])
  })
  return table('Plan', ['Cost', 'Saves', 'Cold starts', 'Probes sent', 'for reads', 'for writes', 'for probes'], rows)
}

function prefixTable({ shown, rest }: ModelResult): string {
  const rows = shown.map((one) => row(one.label, prefixCells(one)))
  const more =
    rest === null
      ? ''
      : `<p>And ${counted(rest.prefixes, 'prefix', 'prefixes')} more, ${counted(rest.requests, 'request', 'requests')}.</p>`
  const heads = ['Requests', 'Tokens', 'Gaps', 'Nothing', 'Cheapest', 'Cost', 'Saves', 'Cold starts', 'Probes sent']
  return `<h3>By prefix</h3>\n${table('Prefix', heads, rows)}\n${more}`
}

function prefixCells({ requests, tokens, gaps, outcomes }: PrefixResult): string[] {
  const least = best(outcomes)
  if (least === undefined) return []
  return [
    whole(requests),
    whole(tokens),
    whole(gaps),
    dollars(outcomes[0]?.costNanos ?? 0),
    planName(least),
    dollars(least.costNanos),
    dollars(saved(least, outcomes)),
    whole(least.coldStarts),
    whole(least.probes),
  ]
}

function leftHtml({ unpriced, tooSmall, unsized }: Simulation): string {
  const said = [
    ...unpriced.map((left) => `Price unknown: ${leftWords(left)}.`),
    ...tooSmall.map((left) => `Too small to be cached: ${leftWords(left)}.`),
    ...(unsized.prefixes === 0
      ? []
      : [
          `Size unknown: ${counted(unsized.requests, 'request', 'requests')} of ${counted(unsized.prefixes, 'prefix', 'prefixes')}.`,
        ]),
  ]
  if (said.length === 0) return ''
  return `<section>\n<h2>Not counted</h2>\n<ul>${said.map((one) => `<li>${escaped(one)}</li>`).join('')}</ul>\n</section>`
}

function row(head: string, cells: readonly string[]): string {
  return `<tr><th scope="row">${escaped(head)}</th>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`
}

function table(first: string, heads: readonly string[], rows: readonly string[]): string {
  const head = [first, ...heads].map((one) => `<th scope="col">${one}</th>`).join('')
  return `<div class="wide" tabindex="0" role="region" aria-label="${first}s"><table><thead><tr>${head}</tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table></div>`
}

function escaped(text: string): string {
  const marks: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replaceAll(/[&<>"']/g, (mark) => marks[mark] ?? mark)
}

const STYLE = `
:root{color-scheme:light dark;--ground:#fcfcfb;--ink:#1d2226;--faint:#5c666e;--line:#dcdfe1;--reads:#5b8fd0;--writes:#d08a1e;--probes:#2f9466}
@media (prefers-color-scheme:dark){:root{--ground:#14181b;--ink:#e6e9eb;--faint:#9aa5ad;--line:#31383d;--reads:#6d9fdc;--writes:#dca03e;--probes:#46ad7c}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem}
h2{font-size:1.2rem;margin:2.5rem 0 .25rem;overflow-wrap:anywhere}
h3{font-size:1rem;margin:2rem 0 .5rem}
p{margin:.25rem 0 .75rem;overflow-wrap:anywhere}
.verdict{font-weight:600}
.remark,footer,figcaption{color:var(--faint);font-size:.9rem}
figure{margin:1.25rem 0}
svg text{fill:var(--ink);font-size:14px}
svg .money{text-anchor:end;font-variant-numeric:tabular-nums}
svg .reads{fill:var(--reads)}svg .writes{fill:var(--writes)}svg .probes{fill:var(--probes)}
figcaption span{display:inline-flex;align-items:center;gap:.4rem;margin-right:1rem}
figcaption i{width:.8rem;height:.8rem;display:inline-block}
i.reads{background:var(--reads)}i.writes{background:var(--writes)}i.probes{background:var(--probes)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child{text-align:left;padding-left:0}
thead th{color:var(--faint);font-weight:500}
tbody th{font-weight:500}
footer{margin-top:3rem;border-top:1px solid var(--line);padding-top:.75rem}
`
