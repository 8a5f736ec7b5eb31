import { baseline, saved } from './figures.ts'
import type { Log } from '../log/traffic.ts'
import type { Outcome } from './outcomes.ts'
import type { Left, Simulation } from './simulation.ts'

/** Writes the result as JSON: money in dollars, instants in ISO 8601. The figures are those of the terminal. */
export function simulationJson(result: Simulation, log: Log, latencyNanos: number) {
  const { fromAt, toAt, requests, models, unpriced, tooSmall, unsized, total } = result
  return {
    format: log.format,
    from: new Date(fromAt).toISOString(),
    to: new Date(toAt).toISOString(),
    requests,
    latency_value_usd: latencyNanos / 1e9,
    models: models.map((model) => ({
      provider: model.provider,
      model: model.model,
      prices: { from: model.pricesFrom, source: model.source, checked: model.checked },
      retentions: model.retentions.map(({ name, ttlMs, assumed }) => ({ name, seconds: ttlMs / 1000, assumed })),
      requests: model.requests,
      prefix_count: model.prefixes,
      plans: plansJson(model.outcomes),
      prefixes: model.shown.map(({ label, tokens, requests: count, gaps, outcomes }) => ({
        prefix: label,
        tokens,
        requests: count,
        gaps,
        plans: plansJson(outcomes),
      })),
      other_prefixes:
        model.rest === null
          ? null
          : {
              prefix_count: model.rest.prefixes,
              requests: model.rest.requests,
              plans: plansJson(model.rest.outcomes),
            },
      prefixes_of_uneven_size: model.uneven,
      prefixes_sized_by_whole_prompts: model.wholePrompts,
    })),
    total: plansJson(total),
    not_counted: {
      price_unknown: unpriced.map(leftJson),
      too_small: tooSmall.map(leftJson),
      size_unknown: unsized,
      unusable: log.unusable.map(({ field, right, count, line }) => ({ field, right, count, first_line: line })),
      left_out: log.leftOut,
    },
  }
}

function plansJson(outcomes: readonly Outcome[]) {
  const first = baseline(outcomes)
  return outcomes.map((one) => ({
    plan: one.plan,
    retention: one.retention,
    cost_usd: one.costNanos / 1e9,
    reads_usd: one.readsNanos / 1e9,
    writes_usd: one.writesNanos / 1e9,
    probes_usd: one.probesNanos / 1e9,
    saved_usd: ((first?.costNanos ?? 0) - one.costNanos) / 1e9,
    saved_with_latency_usd: saved(one, outcomes) / 1e9,
    cold_starts: one.coldStarts,
    probes: one.probes,
  }))
}

function leftJson({ provider, model, prefixes, requests, why }: Left) {
  return { provider, model, prefixes, requests, why }
}
