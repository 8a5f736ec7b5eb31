import { readFailure } from '../../contract/failure.ts'
import { warmBody } from '../../contract/warm.ts'
import { member, readJson, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonNode } from '../../core/prompt/json-text.ts'
import { lint } from '../../core/lint/lint.ts'
import { estimateTokens } from '../../core/prompt/tokens.ts'
import { FATAL } from '../../registration/findings.ts'
import { prepareWarm } from '../../registration/prepare.ts'
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
  const isEnvelope =
    member(root, 'request')?.type === 'object' ||
    (member(root, 'provider') !== undefined && member(root, 'model') !== undefined)
  // A registration reports `/request/…`. In a file with the body alone, the same value is at the top level.
  const inFile = (pointer: string): string => (isEnvelope ? pointer : pointer.replace(/^\/request(?=\/|$)/, ''))
  const isFilled = member(root, 'vars') !== undefined
  return adviceOf(text, root, isEnvelope, asked).map((one) => {
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
function adviceOf(text: string, root: JsonNode, isEnvelope: boolean, { provider, model, now }: Asked): Advice[] {
  try {
    const named = provider ?? stringMember(root, 'provider') ?? cardRecognising(root).id
    const given = { provider: named, ...(model === undefined || isEnvelope ? {} : { model }) }
    const envelope = isEnvelope ? text : `${JSON.stringify(given).slice(0, -1)},"request":${text}}`
    const body = parseBody(envelope, warmBody, WARM_RAW)
    const asked = { ...body, provider: named, lint: 'advice' as const }
    return prepareWarm(asked, now, { anySize: true }).registration.advice
  } catch (thrown) {
    return [refusal(thrown)]
  }
}

function refusal(thrown: unknown): Advice {
  const failure = readFailure(thrown)
  if (failure === null) throw thrown
  const field = failure.detail?.['field']
  return {
    cause: 'refused',
    message: failure.message,
    severity: 'warning',
    fix: 'POST /warm refuses this body. No other checks were made.',
    ...(typeof field === 'string' ? { at: pointerOf(field) } : {}),
  }
}
