import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { lint } from '../src/core/lint/lint.ts'
import { lintPrefix } from '../src/providers/lint/lint.ts'
import { cardById, dialectOf, modelFacts } from '../src/providers/registry.ts'
import type { Figure } from './figure.ts'
import { cpuSeconds, say } from './figure.ts'
import type { Finding } from '../src/core/model/advice.ts'

/** Prompts as people write them, in many languages, without any fault that lint finds. */
const FOLDER = join(import.meta.dirname, 'lint/clean')
const ROUNDS = 20

/** Folder of texts that were not written for this bench: the project's documents, with code, tables and figures. */
const ROOT = join(import.meta.dirname, '..')

/** Faults that are put before each sample, one at a time. Secrets are joined from pieces, so that no scanner reports this file. */
const PLANTED: readonly [cause: string, line: string][] = [
  ['timestamp', 'Current time: 2026-11-21T10:32:07Z'],
  ['date', 'Today is Saturday, November 21, 2026.'],
  ['uuid', 'Conversation 7c9e6679-7425-40de-944b-e07fc1f90ae7'],
  ['request_id', 'Request ID: 8f14e45fceea167a'],
  ['session_id', 'session_id: ab12cd34ef56'],
  ['user_id', 'User ID: 481516'],
  ['random_seed', 'Random seed: 83457293'],
  ['counter', 'Request #123'],
  ['memory_address', 'Agent: <crew.Agent object at 0x7f3b2c1d9e80>'],
  ['secret', `Use the key sk-${'ant-api03-aB3dE5fG7haB3dE5fG7haB3dE5fG7h'}`],
  ['email', 'The user is anna.schmidt@gmail.com'],
  ['phone', 'The user can be reached at +49 170 1234567'],
  ['payment_card', 'Card: 4539 1488 0343 6467'],
  ['iban', 'Account: DE89 3704 0044 0532 0130 00'],
  ['unrendered_template', 'You serve {{ tenant }}.'],
  ['broken_rendering', 'Profile: [object Object]'],
]

export async function lintBench(): Promise<{ figures: Figure[]; notes: string[] }> {
  const files = globSync('*.{txt,json}', { cwd: FOLDER }).toSorted()
  const samples = files.map((file) => ({ file, text: readFileSync(join(FOLDER, file), 'utf8') }))
  const texts = samples.filter(({ file }) => file.endsWith('.txt'))
  const alarms = samples.map((sample) => ({ ...sample, found: findings(sample.file, sample.text) }))
  const warned = alarms.filter(({ found }) => found.some(({ severity }) => severity === 'warning'))
  const hinted = alarms.filter(({ found }) => found.some(({ severity }) => severity === 'hint'))
  for (const { file, found } of new Set([...warned, ...hinted])) {
    say(`${file}: ${found.map(({ cause, line }) => `${cause} in line ${line ?? '-'}`).join(', ')}`)
  }
  const missed: string[] = []
  for (const [cause, line] of PLANTED) {
    for (const { file, text } of texts) {
      if (!findings(file, `${line}\n${text}`).some((one) => one.cause === cause)) missed.push(`${cause} in ${file}`)
    }
  }
  for (const one of missed) say(`missed: ${one}`)
  const documents = globSync('{*.md,docs/**/*.md}', { cwd: ROOT }).toSorted()
  const doubted = documents.filter((file) => {
    const found = findings(`${file}.txt`, readFileSync(join(ROOT, file), 'utf8'))
    for (const { cause, line } of found) say(`${file}: ${cause} in line ${line ?? '-'}`)
    return found.some(({ severity }) => severity === 'warning')
  })
  const tries = PLANTED.length * texts.length
  const bytes = texts.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
  const { cpuS } = await cpuSeconds(() => {
    for (let round = 0; round < ROUNDS; round++) for (const { file, text } of texts) findings(file, text)
  })
  return {
    figures: [
      {
        name: 'clean samples',
        value: samples.length,
        unit: 'prompts',
        how: `bench/lint/clean, ${bytes} bytes of text`,
      },
      {
        name: 'false alarms',
        value: (100 * warned.length) / samples.length,
        unit: '%',
        aim: 'at most 5 %',
        how: 'samples with a warning, which lint: "error" would refuse',
      },
      {
        name: 'false alarms in documents',
        value: (100 * doubted.length) / documents.length,
        unit: '%',
        how: "the project's own Markdown, which was not written for lint",
      },
      {
        name: 'hints',
        value: (100 * hinted.length) / samples.length,
        unit: '%',
        how: 'samples with a hint, which nothing refuses',
      },
      {
        name: 'planted and found',
        value: (100 * (tries - missed.length)) / tries,
        unit: '%',
        how: `${PLANTED.length} faults, each put in front of each of ${texts.length} samples`,
      },
      {
        name: 'time',
        value: (cpuS * 1_000) / ROUNDS / (bytes / 1024),
        unit: 'CPU ms/KiB',
        how: `${ROUNDS} rounds over all texts`,
      },
    ],
    notes: ['The samples were written for this measurement; the planted faults are in plain form.'],
  }
}

/** Lints as a registration does, without the rule for the minimum size, because samples are short. */
function findings(file: string, text: string): Finding[] {
  if (file.endsWith('.txt')) {
    const block = { at: '', part: 'system' as const, pieces: [{ at: '', text }], marker: null, run: null }
    return lint({
      blocks: [block],
      tools: [],
      estimatedTokens: 0,
      minimumTokens: null,
      maxMarkers: null,
      lookback: null,
    })
  }
  const { provider, request } = JSON.parse(text) as { provider: string; request: unknown }
  const card = cardById(provider)
  if (card === undefined) throw new Error(`${basename(file)} names no provider`)
  const facts = (model: string) => ({ ...modelFacts(card, model, 0), minimumTokens: null })
  const prefix = dialectOf(card).prepare({ text: JSON.stringify(request) }, facts)
  return lintPrefix(card, prefix, facts(prefix.model), '/request')
}
