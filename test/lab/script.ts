/**
 * What the lab's models do beside answering shortly. A user's text may say so, in lines of its own; the n-th line is what the
 * model does in its n-th answer to that text, and when there are no more it answers:
 *
 *     lab: call NAME {"a":1} & NAME {}     calls tools, if they are listed and not forbidden
 *     lab: always call NAME {}             does so each time it is asked
 *     lab: say 200                         answers with so many tokens
 */
export type Scripted = { calls: { name: string; arguments: string }[]; words: number | undefined }

export function scripted(text: string, answers: number, tools: readonly string[], forbidden: boolean): Scripted {
  const lines = [...text.matchAll(/^lab: (.+)$/gm)].map((match) => match[1] ?? '')
  const says = lines.find((line) => line.startsWith('say '))
  const acts = lines.filter((line) => line !== says)
  const act = acts.find((line) => line.startsWith('always ')) ?? acts[answers] ?? ''
  const calls = forbidden
    ? []
    : [...act.matchAll(/(?:call|&) ([\w-]+) (\{.*?\})(?= & |$)/g)].map((match) => ({
        name: match[1] ?? '',
        arguments: match[2] ?? '{}',
      }))
  return {
    calls: calls.filter(({ name }) => tools.includes(name)),
    words: says === undefined ? undefined : Number(says.slice('say '.length)),
  }
}

/** A text of so many of the lab's tokens, of four bytes each. */
export function textOfLength(tokens: number, seed: string): string {
  return `${seed} `.repeat(Math.ceil((tokens * 4) / (seed.length + 1))).slice(0, tokens * 4)
}
