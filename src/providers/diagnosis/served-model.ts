import type { Card } from '../card.ts'
import { entryModel, modelFacts } from '../registry.ts'

/**
 * What names of one model differ in: the day or number of a snapshot, `latest`, a preview, a version of Bedrock, a variant of a router. Sources:
 * developers.openai.com/api/docs/models, platform.claude.com (Models overview), ai.google.dev/gemini-api/docs/models, docs.mistral.ai (Models),
 * openrouter.ai/docs (Model variants); checked 2026-12-01.
 */
const SNAPSHOT =
  /(?:[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4}|\d{3}|latest|default|preview(?:-\d{2}-(?:\d{2}|\d{4}))?|exp(?:-\d{2}-\d{2})?)|-v\d+|:[a-z0-9.-]+)$/

/** Names by which a caller leaves the choice of the model to its provider. */
const OPEN = /(?:^|[/-])(?:auto|router|latest)$|^@preset\/|^openrouter\//

/**
 * Whether an answer comes from another model than was asked for. False where that cannot be told: a deployment has the name that its operator chose, a
 * moving alias points anywhere, and an engine of one's own calls a model as it likes.
 */
export function isServedByOther(card: Card, asked: string, served: string, now: number): boolean {
  if (OPEN.test(asked)) return false
  const [one, other] = [nameOf(card, asked), nameOf(card, served)]
  if (one === other) return false
  const facts = modelFacts(card, asked, now)
  if (facts.untilDisplaced === true || facts.retentions.length === 0) return false
  const [family, servedFamily] = [bare(one), bare(other)]
  return family !== servedFamily && entryModel(card, family) !== entryModel(card, servedFamily)
}

function nameOf(card: Card, model: string): string {
  const name = model.replace(/^(?:models|publishers\/[\w-]+\/models|accounts\/[\w-]+\/models)\//, '').toLowerCase()
  return entryModel(card, card.knownAs?.(name) ?? name)
}

/** A name without its snapshot, and without the vendor in front of it. */
function bare(name: string): string {
  let left = name.slice(name.lastIndexOf('/') + 1)
  for (let rest = left.replace(SNAPSHOT, ''); rest !== left && rest !== ''; rest = left.replace(SNAPSHOT, ''))
    left = rest
  return left
}
