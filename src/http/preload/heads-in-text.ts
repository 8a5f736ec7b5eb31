import { readFailure } from '../../contract/failure.ts'
import type { WarmBody } from '../../contract/warm.ts'
import type { Advice } from '../../core/model/advice.ts'
import { headsInText } from '../../providers/prefix/head-in-text.ts'
import type { HeadInText, MemberText } from '../../providers/prefix/head-in-text.ts'
import type { Preparation } from '../../registration/prepare.ts'
import { crewAgent } from './crew-order.ts'
import type { Admitted } from './crew-order.ts'

/** Prepares the body of an agent once more, with the first `systemHead` UTF-16 units of its system prompt as a block of their own. */
export type PrepareAgain = (body: WarmBody, systemHead: number) => Preparation

type Ready = Extract<Admitted, { preparation: Preparation }> & { body: WarmBody }

/** The same, with what it was prepared from. */
export type AdmittedBody = Exclude<Admitted, { preparation: Preparation }> | Ready

/**
 * Where agents part inside of one text, and their cache shares whole blocks only: the neutral form gets a block that ends there. A native
 * body is never changed, and gets advice.
 */
export function withHeadsInText(
  admitted: readonly AdmittedBody[],
  minSharedTokens: number | undefined,
  prepareAgain: PrepareAgain,
): AdmittedBody[] {
  const result = [...admitted]
  const places = admitted.flatMap((agent, index) => ('preparation' in agent ? [index] : []))
  const ready = places.map((index) => admitted[index] as Ready)
  for (const head of headsInText(
    ready.map(({ preparation }) => crewAgent(preparation)),
    minSharedTokens,
  )) {
    const { cut, members } = head
    const splits = new Set(members.filter((member) => isSplit(ready[member.index]!, member)))
    // A body that has a block with this end already shares it too.
    const sharing = members.filter((member) => splits.has(member) || member.text.length === cut)
    for (const member of members) {
      const agent = ready[member.index]!
      const place = places[member.index]!
      if (member.text.length === cut) continue
      if (!splits.has(member)) result[place] = advised(agent, member, head)
      else if (sharing.length > 1) result[place] = split(agent, cut, prepareAgain)
    }
  }
  return result
}

/** Whether a body is of the neutral form, and the text its system prompt. Explicit breakpoints count the parts of one that is not split. */
function isSplit({ preparation, body }: Ready, { text }: MemberText): boolean {
  const strategy = typeof body.cache === 'object' ? body.cache.strategy : undefined
  const isCounted = typeof strategy === 'object' && 'explicit' in strategy
  return preparation.neutralSystem === text && !isCounted
}

function split(agent: Ready, cut: number, prepareAgain: PrepareAgain): AdmittedBody {
  const { body, preparation } = agent
  const { retention } = preparation.prefix
  try {
    const again = prepareAgain(writtenAt(body, retention), cut)
    const { unmarked } = preparation.registration
    const registration = { ...again.registration, ...(unmarked === undefined ? {} : { unmarked }) }
    return { ...agent, preparation: { ...again, registration } }
  } catch (thrown) {
    // The body as it was is still good.
    if (readFailure(thrown) === null) throw thrown
    return agent
  }
}

function advised(agent: Ready, { path }: MemberText, { members, cut, estimatedTokens }: HeadInText): AdmittedBody {
  const { preparation } = agent
  const { registration } = preparation
  const advice: Advice = {
    cause: 'shared_head_in_text',
    message: `${members.length} agents of this crew begin alike, with about ${estimatedTokens} tokens, and part behind character ${cut} of ${path}. This cache shares whole blocks only. In the requests of all of them, end a text block with a cache marker there, and put the rest into the next block. A text that cannot be a list of blocks has to move into a message.`,
    at: path,
  }
  return {
    ...agent,
    preparation: { ...preparation, registration: { ...registration, advice: [...registration.advice, advice] } },
  }
}

/** The body with its retention written down. */
export function writtenAt(body: WarmBody, retention: string): WarmBody {
  return { ...body, cache: { ...(typeof body.cache === 'object' ? body.cache : {}), retention } }
}
