import type { PolicyReport, Score } from './report.ts'

function toldLine({ told, policies }: PolicyReport): string {
  const score = policies['pilotlight-told']
  if (told === undefined || score === undefined) return ''
  const [from = 0, to = 0] = score.excess_interval ?? []
  return `told: ends of ${told.ends * 100} % of sessions, ${told.one_shots * 100} % of one-shots (${told.how})
pilotlight-told: excess ${score.excess.toFixed(3)}, 90 % interval over streams ${from.toFixed(2)} to ${to.toFixed(2)}
`
}

/** The report as text. */
export function tableOf(report: PolicyReport): string {
  const line = (name: string, score: Score): string => {
    const count = (value: number): string => value.toFixed(3).padStart(10)
    const cells = [
      score.excess.toFixed(2),
      `${(score.capture * 100).toFixed(0)} %`,
      score.mean_cost_ratio.toFixed(2),
      score.worst_cost_ratio.toFixed(2),
    ]
    return `${name.padEnd(18)}${cells.map((cell) => cell.padStart(10)).join('')}${count(score.cold_per_gap)}${count(score.probes_per_gap)}`
  }
  const head = `${'policy'.padEnd(18)}${['excess', 'capture', 'mean', 'worst', 'cold/gap', 'probes'].map((cell) => cell.padStart(10)).join('')}`
  const own = report.policies['pilotlight']
  const interval = (pair: [number, number] | undefined, scale: number, digits: number): string =>
    (pair ?? []).map((value) => (value * scale).toFixed(digits)).join(' to ')
  const families = Object.entries(report.families).map(([family, { policies }]) => {
    const score = policies['pilotlight']
    return score === undefined ? '' : line(family, score)
  })
  return `prices ${report.prices}, latency value ${report.latency_value}: ${report.streams} streams, ${report.gaps} idle gaps over 300 s
${toldLine(report)}${report.microseconds_per_decision.toFixed(1)} microseconds per decision

${head}
${Object.entries(report.policies)
  .map(([name, score]) => line(name, score))
  .join('\n')}

pilotlight, 90 % interval over streams: excess ${interval(own?.excess_interval, 1, 2)}, capture ${interval(own?.capture_interval, 100, 0)} %

pilotlight by family
${families.join('\n')}
`
}
