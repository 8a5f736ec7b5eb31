import { parseArgs } from 'node:util'
import { FAMILIES } from './families.ts'
import { beliefScores } from './play.ts'
import type { Belief } from './play.ts'

const SEEDS = [1, 2, 3]

const HELP = `npm run -s bench -- belief [--json] [--seeds N]

Holds p_warm against what a simulated provider really keeps, in virtual time, by family:
${Object.entries(FAMILIES)
  .map(([name, { about, rate }]) => `  ${name.padEnd(18)} ${Math.round(rate * 100)} % of the mixed family: ${about}`)
  .join('\n')}

brier: mean squared difference of p_warm and the truth, every ten seconds; ttl_only_brier: the same for the belief that an entry is warm until
its retention has passed; longest_false_warm_ms: the longest time for which a prefix was called warm that was gone; probe_interval_ms: the
time from its last use to its next keep-alive then; longest_beyond_interval_ms: the most by which any such time exceeded that.

Real requests are reported without their bodies. half_with_bodies: the same where every other one is reported with it.
`

/** Runs the bench. Returns the exit code: 2 where the arguments are wrong. */
export function beliefBench(args: readonly string[], write: (text: string) => void): number {
  const { values } = parseArgs({
    args: [...args],
    options: { json: { type: 'boolean' }, seeds: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help === true) {
    write(HELP)
    return 0
  }
  const count = Number(values.seeds ?? SEEDS.length)
  if (!Number.isInteger(count) || count < 1) {
    write('--seeds: a whole number from 1 on\n')
    return 2
  }
  const scores = beliefScores(Array.from({ length: count }, (_, index) => index + 1))
  write(values.json === true ? `${JSON.stringify(scores)}\n` : tableOf(scores))
  return 0
}

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`.padStart(7)

function tableOf({ families, mixed, half_with_bodies: half }: Belief): string {
  const rows = Object.entries({ ...families, mixed, 'with bodies': half.mixed }).map(([name, score]) =>
    [
      name.padEnd(18),
      score.brier.toFixed(4),
      score.ttl_only_brier.toFixed(4).padStart(8),
      seconds(score.longest_false_warm_ms).padStart(18),
      seconds(score.probe_interval_ms).padStart(14),
      seconds(score.longest_beyond_interval_ms).padStart(7),
    ].join('  '),
  )
  return `${'family'.padEnd(18)}  brier   ttl only  longest false warm  interval then   beyond\n${rows.join('\n')}\n`
}
