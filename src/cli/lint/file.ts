import { readFailure } from '../../contract/failure.ts'
import { warmBody } from '../../contract/warm.ts'
import { member, readJson, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonNode } from '../../core/prompt/json-text.ts'
import type { Verdict } from '../../core/diagnosis/verdicts.ts'
import { lint } from '../../core/lint/lint.ts'
import { estimateTokens } from '../../core/prompt/tokens.ts'
import { FATAL } from '../../registration/findings.ts'
import { prepareWarm } from '../../registration/prepare.ts'
import type { Preparation } from '../../registration/prepare.ts'
import { cardById, cardRecognising, modelFacts } from '../../providers/registry.ts'
import { placeInFile, pointerOf } from './place.ts'
import type { Advice } from '../../core/model/advice.ts'
import { parseBody, WARM_RAW } from '../../registration/json-body.ts'

/** A finding with its place in a file. */
export interface FileFinding {
  file: string
  line: number
  column: number
  severity: 'warning' | 'hint'
  cause: string
  message: string
  fix: string | null
  /** JSON pointer into the file; empty for plain text. */
  pointer: string
  /** What `pilotlight why` says of a body beside an earlier one of those given together. */
  verdict?: Verdict
}

export interface Asked {
  provider: string | undefined
  model: string | undefined
  now: number
}

/** Lints one file: a body of `POST /warm`, a provider's own body, or plain text. */
export function lintFile(file: string, text: string, asked: Asked): FileFinding[] {
  const isJson = /^\s*\{/.test(text) && !/^\s*\{[{%]/.test(text)
  return isJson ? lintJson(file, text, asked) : lintText(file, text, asked)
}

function lintText(file: string, text: string, { provider, model, now }: Asked): FileFinding[] {
  const card = provider === undefined ? undefined : cardById(provider)
  const minimumTokens = card === undefined || model === undefined ? null : modelFacts(card, model, now).minimumTokens
  const found = lint({
    blocks: [{ at: '', part: 'system', pieces: [{ at: '', text: withoutLastLineEnd(text) }], marker: null, run: null }],
    tools: [],
    estimatedTokens: estimateTokens(text),
    minimumTokens,
    maxMarkers: null,
    lookback: null,
  })
  return found.map(({ cause, message, fix, severity, line = 1, column = 1 }) => ({
    file,
    line,
    column,
    severity,
    cause,
    message,
    fix,
    pointer: '',
  }))
}

/** Removes the newline at the end of a file, which need not belong to the prompt. */
function withoutLastLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '')
}

function lintJson(file: string, text: string, asked: Asked): FileFinding[] {
  const found = (one: Advice & { pointer: string }, place: { line: number; column: number }): FileFinding => ({
    file,
    ...place,
    severity: one.severity ?? (FATAL.has(one.cause) ? 'warning' : 'hint'),
    cause: one.cause,
    message: one.message,
    fix: one.fix ?? null,
    pointer: one.pointer,
  })
  let root: JsonNode
  try {
    root = readJson(text)
  } catch (thrown) {
    return [found({ ...refusal(thrown), pointer: '' }, { line: 1, column: 1 })]
  }
  // A registration reports `/request/…`. In a file with the body alone, the same value is at the top level.
  const wrapped = isEnvelope(root)
  const inFile = (pointer: string): string => (wrapped ? pointer : pointer.replace(/^\/request(?=\/|$)/, ''))
  const isFilled = member(root, 'vars') !== undefined
  return adviceOf(text, root, asked).map((one) => {
    const isFinding = one.severity !== undefined
    const path = pointerOf(one.at ?? '')
    // Advice of a wire format gives places as paths in the body.
    const pointer = inFile(
      isFinding || !member(root, 'request') || path.startsWith('/cache') ? path : `/request${path}`,
    )
    // Lines of a filled template are not the lines of the file.
    const within = isFilled && pointer === '/system' ? {} : { line: one.line, column: one.column }
    return found({ ...one, pointer }, placeInFile(text, root, pointer, within))
  })
}

/** Returns the findings that a registration of this body would have, or its refusal. */
function adviceOf(text: string, root: JsonNode, asked: Asked): Advice[] {
  try {
    return prepared(text, root, asked).registration.advice
  } catch (thrown) {
    return [refusal(thrown)]
  }
}

/** Whether a file is a body of `POST /warm` and not a provider's own. */
export function isEnvelope(root: JsonNode): boolean {
  return (
    member(root, 'request')?.type === 'object' ||
    // A router's body has an object `provider` beside its model.
    (member(root, 'provider')?.type === 'string' && member(root, 'model') !== undefined)
  )
}

/** Prepares a body as its registration would. Throws the refusal of one. */
export function prepared(text: string, root: JsonNode, { provider, model, now }: Asked): Preparation {
  const wrapped = isEnvelope(root)
  const named = provider ?? stringMember(root, 'provider') ?? cardRecognising(root).id
  const given = { provider: named, ...(model === undefined || wrapped ? {} : { model }) }
  const envelope = wrapped ? text : `${JSON.stringify(given).slice(0, -1)},"request":${text}}`
  const body = parseBody(envelope, warmBody, WARM_RAW)
  return prepareWarm({ ...body, provider: named, lint: 'advice' as const }, now, { anySize: true })
}

function refusal(thrown: unknown): Advice {
  const failure = readFailure(thrown)
  if (failure === null) throw thrown
  const { field, cause, findings } = failure.detail ?? {}
  return {
    cause: 'refused',
    ...(typeof cause === 'string' && findings !== undefined ? { cause } : {}),
    message: failure.message,
    severity: 'warning',
    fix: 'POST /warm refuses this body. No other checks were made.',
    ...(typeof field === 'string' ? { at: pointerOf(field) } : {}),
  }
}
