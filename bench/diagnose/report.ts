import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { diagnoseBody } from '../../src/contract/diagnosis.ts'
import { readFailure } from '../../src/contract/failure.ts'
import { CONFIDENT } from '../../src/core/diagnosis/verdicts.ts'
import { readJson, member, stringMember } from '../../src/core/prompt/json-text.ts'
import { diagnoseRequests, DIAGNOSE_RAW } from '../../src/diagnosis/diagnose.ts'
import type { DiagnosisJson } from '../../src/diagnosis/diagnose.ts'
import { parseBody } from '../../src/registration/json-body.ts'
import { corpus } from './corpus.ts'
import type { LabelledCase } from './corpus.ts'

const NOW = Date.UTC(2026, 11, 1)

const HELP = `npm run -s bench -- diagnose [--corpus DIR] [--json] [--wrong]

Scores the verdicts of POST /diagnose on labelled cases: the built-in corpus, or a folder of JSON files, each the body of
POST /diagnose with "expect" and "identifiable". A verdict below a confidence of ${CONFIDENT} counts as abstained.

  --corpus DIR  the cases of a folder
  --wrong       prints each case that was not answered as labelled
  --json        one JSON object
`

export interface Score {
  cases: number
  identifiable: number
  top1: number
  abstained: number
  confident_wrong: number
  wrong: number
  confusion: Record<string, Record<string, number>>
}

export interface Answered extends LabelledCase {
  verdict: string
  confidence: number
}

/** Answers each case as the API would. */
export function answered(
  cases: readonly LabelledCase[],
  answer: (one: LabelledCase) => Pick<DiagnosisJson, 'verdict' | 'confidence'>,
): Answered[] {
  return cases.map((one) => ({ ...one, ...pick(answer(one)) }))
}

function pick({ verdict, confidence }: Pick<DiagnosisJson, 'verdict' | 'confidence'>): {
  verdict: string
  confidence: number
} {
  return { verdict, confidence }
}

export function scoreOf(all: readonly Answered[]): Score {
  const isConfident = ({ verdict, confidence }: Answered): boolean => verdict !== 'unknown' && confidence >= CONFIDENT
  const known = all.filter(({ identifiable }) => identifiable)
  const right = known.filter((one) => isConfident(one) && one.verdict === one.expect)
  const wrong = all.filter((one) => isConfident(one) && (!one.identifiable || one.verdict !== one.expect))
  const confusion: Score['confusion'] = {}
  for (const one of all) {
    const row = (confusion[one.expect] ??= {})
    const verdict = isConfident(one) ? one.verdict : 'abstained'
    row[verdict] = (row[verdict] ?? 0) + 1
  }
  return {
    cases: all.length,
    identifiable: known.length,
    top1: known.length === 0 ? 0 : right.length / known.length,
    abstained: all.filter((one) => !isConfident(one)).length / all.length,
    confident_wrong: wrong.length / all.length,
    wrong: wrong.length,
    confusion,
  }
}

export function ours({ text }: LabelledCase): Pick<DiagnosisJson, 'verdict' | 'confidence'> {
  try {
    return diagnoseRequests(parseBody(text, diagnoseBody, DIAGNOSE_RAW), NOW)
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure === null) throw thrown
    process.stderr.write(`refused: ${failure.message}\n`)
    return { verdict: 'unknown', confidence: 0 }
  }
}

/** Compares the two texts, and blames the member that holds the first byte that differs. */
function plainDiff({ text }: LabelledCase): Pick<DiagnosisJson, 'verdict' | 'confidence'> {
  const root = readJson(text)
  const [one, other] = ['before', 'after'].map((name) => {
    const request = member(member(root, name), 'request')
    return request === undefined ? '' : text.slice(request.start, request.end)
  })
  if (one === undefined || other === undefined || one === '' || other === '')
    return { verdict: 'unknown', confidence: 0 }
  let at = 0
  while (at < one.length && one[at] === other[at]) at++
  const before = one.slice(0, at)
  const inTools =
    before.lastIndexOf('"tools"') > Math.max(before.lastIndexOf('"system"'), before.lastIndexOf('"messages"'))
  const inTurns = /"(?:messages|input|contents)":\[/.test(before) && !inTools
  if (at >= one.length - 2) return { verdict: 'no_miss', confidence: 0.8 }
  return { verdict: inTools ? 'tools_changed' : inTurns ? 'history_rewritten' : 'text_changed', confidence: 0.8 }
}

/** The provider's own diagnostics alone. */
function providerAlone({ text }: LabelledCase): Pick<DiagnosisJson, 'verdict' | 'confidence'> {
  const reason = member(member(member(readJson(text), 'after'), 'diagnostics'), 'cache_miss_reason')
  const type = stringMember(reason, 'type')
  if (type === 'tools_changed' || type === 'model_changed') return { verdict: type, confidence: 0.8 }
  return { verdict: 'unknown', confidence: 0 }
}

export function readCorpus(folder: string): LabelledCase[] {
  return globSync('**/*.json', { cwd: folder })
    .toSorted()
    .map((file) => {
      const text = readFileSync(join(folder, file), 'utf8')
      const root = readJson(text)
      if (root.type !== 'object') throw new Error(`${file}: is no object`)
      const identifiable = member(root, 'identifiable')?.type !== 'false'
      const kept = root.members.filter(({ key }) => ['provider', 'before', 'after', 'between'].includes(key))
      const body = kept
        .map(({ key, value }) => `${JSON.stringify(key)}:${text.slice(value.start, value.end)}`)
        .join(',')
      return {
        name: file,
        format: stringMember(root, 'provider') ?? '',
        text: `{${body}}`,
        expect: stringMember(root, 'expect') ?? 'unknown',
        identifiable,
      }
    })
}

export async function diagnoseBench(args: string[], print: (text: string) => void): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      corpus: { type: 'string' },
      json: { type: 'boolean' },
      wrong: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) {
    print(HELP)
    return 0
  }
  const cases = values.corpus === undefined ? corpus() : readCorpus(values.corpus)
  const all = answered(cases, ours)
  if (values.wrong) {
    for (const one of all) {
      const isRight = one.identifiable
        ? one.verdict === one.expect && one.confidence >= CONFIDENT
        : one.verdict === 'unknown' || one.confidence < CONFIDENT
      if (!isRight)
        process.stderr.write(
          `${one.name} (${one.format}): ${one.verdict} ${one.confidence}, labelled ${one.expect}${one.identifiable ? '' : ', not identifiable'}\n`,
        )
    }
  }
  const report = {
    ...scoreOf(all),
    causes: new Set(all.map(({ name }) => name)).size,
    baselines: {
      plain_diff: short(scoreOf(answered(cases, plainDiff))),
      provider_alone: short(scoreOf(answered(cases, providerAlone))),
    },
  }
  print(values.json ? `${JSON.stringify(report)}\n` : reportText(report))
  return 0
}

function short({ top1, abstained, confident_wrong }: Score): Pick<Score, 'top1' | 'abstained' | 'confident_wrong'> {
  return { top1, abstained, confident_wrong }
}

function reportText(
  report: Score & { causes: number; baselines: Record<string, Pick<Score, 'top1' | 'abstained' | 'confident_wrong'>> },
): string {
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
  const line = (
    name: string,
    { top1, abstained, confident_wrong }: Pick<Score, 'top1' | 'abstained' | 'confident_wrong'>,
  ): string =>
    `${name.padEnd(16)} right ${percent(top1).padStart(7)}   abstained ${percent(abstained).padStart(7)}   wrong at ${CONFIDENT} or more ${percent(confident_wrong).padStart(7)}\n`
  const confusion = Object.entries(report.confusion)
    .map(
      ([expect, found]) =>
        `  ${expect.padEnd(24)} ${Object.entries(found)
          .map(([verdict, count]) => `${verdict} ${count}`)
          .join(', ')}\n`,
    )
    .join('')
  return `${report.cases} cases of ${report.causes} causes, ${report.identifiable} identifiable\n${line('ours', report)}${line('plain diff', report.baselines['plain_diff'] ?? report)}${line('provider alone', report.baselines['provider_alone'] ?? report)}\n${confusion}`
}
