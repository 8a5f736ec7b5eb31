import { sharedBeginnings } from '../../core/prompt/shared-beginnings.ts'
import type { CrewAgent, CrewGroup } from './crew-agent.ts'
import { blockAt, streamOf, tokensWithin } from './prompt-stream.ts'

/**
 * Groups agents whose cache compares tokens by what their prompts begin with, which may end inside of a text. Nothing is cut there: one
 * agent's own call writes the entry, and the others read the beginning of it.
 */
export function groupsByTokens(agents: readonly CrewAgent[], members: readonly number[], minimum: number): CrewGroup[] {
  const streams = members.map((index) => {
    const { card, prefix, facts } = agents[index]!
    return streamOf(card, prefix, facts)
  })
  const { blockTokens = 1, probesToSeed = 1 } = agents[members[0]!]!.facts
  const found = sharedBeginnings(
    streams.map(({ text }) => text),
    (index, length) => {
      const tokens = tokensWithin(streams[index]!, length)
      const whole = tokens - (tokens % blockTokens)
      return whole < minimum ? 0 : whole
    },
  )
  return found.map((group) => {
    const stream = streams[group.members[0]!]!
    const estimatedTokens = tokensWithin(stream, group.length)
    const end = blockAt(stream, group.length) ?? stream.pieces.findLast(({ block }) => block !== null)?.block
    const why = `${group.members.length} agents begin with the same ${estimatedTokens} tokens or so, which the call of the first one writes`
    return {
      members: group.members.map((at) => members[at]!),
      common: null,
      led: { estimatedTokens, path: end?.path ?? '', writers: probesToSeed },
      why,
    }
  })
}
