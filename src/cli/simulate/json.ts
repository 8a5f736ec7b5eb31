import { answerOf, modelFigures, MONTH_DAYS, monthFactor, prefixFigures, wholeAnswer } from './answer.ts'
import type { Answer } from './answer.ts'
import { baseline, saved } from './figures.ts'
import type { Log } from '../log/traffic.ts'
import type { Outcome } from './outcomes.ts'
import type { Left, Simulation } from './simulation.ts'

/** Writes the result as JSON: money in dollars, instants in ISO 8601. The figures are those of the terminal. */
export function simulationJson(result: Simulation, log: Log, latencyNanos: number) {
  const { fromAt, toAt, requests, models, unpriced, tooSmall, unsized, total } = result
  const factor = monthFactor(toAt - fromAt)
  return {
    answer: answerJson(wholeAnswer(result), factor),
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
      answer: answerJson(answerOf(modelFigures(model, result)), factor),
      plans: plansJson(model.outcomes, factor),
      prefixes: model.shown.map((one) => ({
        prefix: one.label,
        tokens: one.tokens,
        requests: one.requests,
        gaps: one.gaps,
        answer: answerJson(answerOf(prefixFigures(one, model, result)), factor),
        plans: plansJson(one.outcomes, factor),
      })),
      other_prefixes:
        model.rest === null
          ? null
          : {
              prefix_count: model.rest.prefixes,
              requests: model.rest.requests,
              plans: plansJson(model.rest.outcomes, factor),
            },
      prefixes_of_uneven_size: model.uneven,
      prefixes_sized_by_whole_prompts: model.wholePrompts,
    })),
    total: plansJson(total, factor),
    not_counted: {
      price_unknown: unpriced.map(leftJson),
      too_small: tooSmall.map(leftJson),
      size_unknown: unsized,
      unusable: log.unusable.map(({ field, right, count, line }) => ({ field, right, count, first_line: line })),
      left_out: log.leftOut,
    },
  }
}

/** `factor`: from the log to a month of 30 days; null if the log is too short for one. */
function answerJson({ kind, sentence, oneLineNanos, bestNanos }: Answer, factor: number | null) {
  const saving = factor === null ? null : { one_line_usd: oneLineNanos / 1e9, best_usd: bestNanos / 1e9 }
  return {
    kind,
    sentence,
    month: saving === null ? null : { days: MONTH_DAYS, from_days: MONTH_DAYS / (factor ?? 1), ...saving },
  }
}

function plansJson(outcomes: readonly Outcome[], factor: number | null) {
  const first = baseline(outcomes)
  return outcomes.map((one) => ({
    plan: one.plan,
    retention: one.retention,
    cost_usd: one.costNanos / 1e9,
    month_usd: factor === null ? null : (one.costNanos * factor) / 1e9,
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
