import { sharedBeginnings } from '../../core/prompt/shared-beginnings.ts'
import { cutOf } from '../../core/prompt/text-cut.ts'
import { stringMember } from '../../core/prompt/json-text.ts'
import { byKey, minimumOf, scopeOf } from './crew-agent.ts'
import type { CrewAgent } from './crew-agent.ts'
import type { Block } from './blocks.ts'
import { blockAt, streamOf, tokensWithin } from './prompt-stream.ts'
import type { PromptStream } from './prompt-stream.ts'

/** Agents that begin alike up to a place inside of one text, where their cache shares whole blocks only. */
export interface HeadInText {
  members: readonly MemberText[]
  /** UTF-16 units of the text in front of the place. */
  cut: number
  /** Estimated size of all that they share. */
  estimatedTokens: number
}

/** The text in which an agent parts from the others. */
export interface MemberText {
  index: number
  text: string
  /** Where it stands in the agent's body. */
  path: string
}

/** What a cut must add to whole blocks that are shared anyway. Less saves less than a further block and its marker are worth. */
const LEAST_GAIN_TOKENS = 128

/** Finds heads that end inside of a text, at a token boundary, and are above the model's minimum. `minSharedTokens` raises that. */
export function headsInText(agents: readonly CrewAgent[], minSharedTokens = 0): HeadInText[] {
  const byBlocks = [...agents.keys()].filter((index) => agents[index]!.facts.sharedBy === 'blocks')
  return byKey(byBlocks, (index) => scopeOf(agents[index]!)).flatMap((members) => {
    const minimum = minimumOf(agents[members[0]!]!, minSharedTokens)
    const streams = members.map((index) => {
      const { card, prefix, facts } = agents[index]!
      return streamOf(card, prefix, facts)
    })
    const found = sharedBeginnings(
      streams.map(({ text }) => text),
      (index, length) => {
        const tokens = tokensWithin(streams[index]!, length)
        return tokens < minimum ? 0 : tokens
      },
    )
    return found.flatMap((group): HeadInText[] => {
      const parted = group.members.map((at) => ({ at, block: blockAt(streams[at]!, group.length) }))
      const texts = parted.map(({ at, block }) => partedText(streams[at]!, block, group.length))
      if (!texts.every((text) => text !== null)) return []
      const cut = cutOf(texts)
      const [first] = parted
      if (cut === null || first === undefined) return []
      const stream = streams[first.at]!
      const start = stream.pieces.find(({ block }) => block === first.block)?.start ?? 0
      const whole = tokensWithin(stream, start)
      const gained = Math.floor(Buffer.byteLength(texts[0]!.slice(0, cut)) / 4)
      if (whole + gained < minimum || (whole >= minimum && gained < LEAST_GAIN_TOKENS)) return []
      return [
        {
          members: parted.map(({ at, block }, of) => ({
            index: members[at]!,
            text: texts[of]!,
            path: block?.path ?? '',
          })),
          cut,
          estimatedTokens: whole + gained,
        },
      ]
    })
  })
}

/** The text of a block, where the first `length` units of the prompt end inside of it. Null: the block is no plain text. */
function partedText(stream: PromptStream, block: Block | undefined, length: number): string | null {
  if (block === undefined) return null
  const { node } = block
  const text = node.type === 'string' ? node.value : (stringMember(node, 'text') ?? null)
  const said = JSON.stringify(text)
  const end = stream.pieces.find((piece) => piece.block === block)?.end ?? 0
  return block.tokens.endsWith(`text ${said}`) && length >= end - said.length ? text : null
}
