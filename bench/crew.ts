import { AT_ONCE } from '../src/contract/preload.ts'
import { RawJson } from '../src/contract/raw-json.ts'
import { readNothing } from '../src/core/fan-out/crew.ts'
import type { CrewStrategy } from '../src/core/fan-out/crew.ts'
import { usd } from '../src/core/model/price.ts'
import { createLab } from '../test/lab/index.ts'
import type { Lab } from '../test/lab/index.ts'
import { asked, characterPreload } from './crew/characters.ts'
import { preloaded } from './crew/office.ts'
import type { OfficeAgent } from './crew/office.ts'
import { VirtualTime } from './crew/virtual-time.ts'
import { quantile, say } from './figure.ts'
import type { Figure } from './figure.ts'
import type { Usage } from '../src/core/model/usage.ts'

const SIZES = [2, 4, 8, 16, 32, 64]
/** How an agent's system prompt is written: shared rules and its own part in two blocks, or both in one string of the neutral form. */
type Shape = 'blocks' | 'string'
const CREWS: { provider: string; model: string; shape: Shape }[] = [
  { provider: 'anthropic', model: 'claude-opus-5', shape: 'blocks' },
  { provider: 'anthropic', model: 'claude-opus-5', shape: 'string' },
  { provider: 'openai-chat', model: 'gpt-5.6-sol', shape: 'blocks' },
  { provider: 'openai-chat', model: 'gpt-4.1', shape: 'string' },
]
const NOON = Date.UTC(2026, 10, 16, 12)

const RULES = 'The crew writes for people who fix boats. It cites what it has read, and it says what it does not know. '
const TOOLS = 12

/** Prompt of an agent: shared tools and rules, and a part of its own. */
function agentOf(index: number): { rules: string; own: string } {
  return {
    rules: RULES.repeat(240),
    own: `You are agent ${index} of the crew. ${`Your own part, number ${index}, is to do this well and nothing else. `.repeat(30)}`,
  }
}

function toolOf(index: number) {
  const name = `tool_${index}`
  const description = `What tool ${index} does, when to call it, and what it answers. `.repeat(12)
  const parameters = { type: 'object', properties: { query: { type: 'string', description: 'What to look for.' } } }
  return { name, description, parameters }
}

/** An agent as it is preloaded. */
function agentToWarm(provider: string, model: string, index: number, shape: Shape): OfficeAgent {
  if (shape === 'blocks') return { provider, request: bodyOf(provider, model, index, null, shape) }
  const tools = Array.from({ length: TOOLS }, (_, at) => {
    const { parameters, ...tool } = toolOf(at)
    return { ...tool, parameters: new RawJson(JSON.stringify(parameters)) }
  })
  const { rules, own } = agentOf(index)
  return { provider, model, tools, system: rules + own }
}

/** Real request of an agent, with a user turn if the provider's prefix must end before one. */
function bodyOf(
  provider: string,
  model: string,
  index: number,
  turn: string | null,
  shape: Shape,
): Record<string, unknown> {
  const { rules, own } = agentOf(index)
  const texts = shape === 'blocks' ? [rules, own] : [rules + own]
  const tools = Array.from({ length: TOOLS }, (_, at) => toolOf(at))
  const user = turn === null ? [] : [{ role: 'user', content: turn }]
  if (provider === 'anthropic') {
    return {
      model,
      max_tokens: 1,
      tools: tools.map(({ name, description, parameters }) => ({ name, description, input_schema: parameters })),
      system: texts.map((text, at) => ({
        type: 'text',
        text,
        ...(at === texts.length - 1 ? { cache_control: { type: 'ephemeral' } } : {}),
      })),
      messages: user,
    }
  }
  const content = texts.map((text) => ({ type: 'text', text }))
  return {
    model,
    max_completion_tokens: 1,
    tools: tools.map((one) => ({ type: 'function', function: one })),
    messages: [{ role: 'system', content }, ...user],
  }
}

interface Run {
  /** Number of writes of the shared head. */
  headWrites: number
  warmingUsd: number
  readyMs: number
  /** Times to the first token of every agent's first real request; all are sent at once. */
  firstTokenMs: number[]
  firstUsd: number
  /** Number of first requests that read nothing from the cache. */
  missed: number
}

type Way = 'nothing' | CrewStrategy | 'characters'
const WAYS: Way[] = ['nothing', 'parallel', 'sequential', 'characters', 'shared_prefix']

export async function run(
  provider: string,
  model: string,
  size: number,
  way: Way,
  shape: Shape = 'blocks',
): Promise<Run> {
  const time = new VirtualTime(NOON)
  const lab: Lab = createLab({ now: time.now, sleep: time.sleep })
  const network = globalThis.fetch
  globalThis.fetch = (input, init) => lab.fetch(new Request(input, init))
  try {
    return await time.until(play(lab, time, { provider, model, shape }, size, way))
  } finally {
    globalThis.fetch = network
  }
}

async function play(
  lab: Lab,
  time: VirtualTime,
  { provider, model, shape }: (typeof CREWS)[number],
  size: number,
  way: Way,
): Promise<Run> {
  const indices = Array.from({ length: size }, (_, index) => index)
  let bodies = indices.map((index) => bodyOf(provider, model, index, 'Begin.', shape))
  let warmed = { headWrites: 0, warmingUsd: 0, readyMs: 0 }
  if (way === 'characters') {
    const systems = indices.map((index) => agentOf(index).rules + agentOf(index).own)
    const { calls, tookMs } = await characterPreload(lab, time.now, { provider, model, systems })
    const wrote = calls.filter(({ usage }) => readNothing(usage)).length
    warmed = { headWrites: wrote, warmingUsd: usd(calls.reduce((sum, one) => sum + one.costNanos, 0)), readyMs: tookMs }
  } else if (way !== 'nothing') {
    const agents = indices.map((index) => agentToWarm(provider, model, index, shape))
    const { crew: job, requests, tookMs } = await preloaded(time, agents, way, AT_ONCE)
    if (job.status !== 'succeeded' || job.failed > 0 || job.cost_usd === null || job.head_writes === null)
      throw new Error(JSON.stringify(job))
    warmed = { headWrites: job.head_writes, warmingUsd: job.cost_usd, readyMs: tookMs }
    // Each agent sends the body that the API shows for it.
    bodies = requests.map((text) => {
      const body = JSON.parse(text ?? '{}') as Record<string, unknown[]>
      return { ...body, messages: [...(body['messages'] ?? []), { role: 'user', content: 'Begin.' }] }
    })
  }
  await time.sleep(1_000)
  const firsts = await Promise.all(bodies.map((body) => asked(lab, time.now, provider, body)))
  return {
    ...warmed,
    firstTokenMs: firsts.map(({ tookMs }) => tookMs),
    firstUsd: usd(firsts.reduce((sum, one) => sum + one.costNanos, 0)),
    missed: firsts.filter(({ usage }: { usage: Usage }) => readNothing(usage)).length,
  }
}

/** Warms crews of 2 to 64 agents in each way, then sends all their first requests at once. */
export async function crew(): Promise<{ figures: Figure[]; notes: string[] }> {
  const figures: Figure[] = []
  for (const { provider, model, shape } of CREWS) {
    for (const size of SIZES) {
      const of = `${model}${shape === 'string' ? ', one string' : ''}, ${size} agents`
      say(`crew: ${of} …`)
      const runs = new Map<Way, Run>()
      for (const way of WAYS) runs.set(way, await run(provider, model, size, way, shape))
      figures.push(...figuresOf(of, runs))
    }
  }
  const notes = [
    `Every agent has the same ${TOOLS} tools and the same rules, in a block of their own (one string: in one text with the rest), and then a part of its own. Models: ${CREWS.map(({ provider, model }) => `${provider} ${model}`).join(', ')}. At most ${AT_ONCE} calls at once in parallel and behind a shared head.`,
    'The preload, its tables, its decisions and its probes are the shipped ones; messages arrive at once, and time passes in the lab alone: its latencies are invented (400 ms, a millisecond for twenty cold tokens or four hundred cached ones), so that only ratios mean something.',
    'characters: the longest common beginning of the system prompts by characters, probed alone, then each system prompt, one after the other, without tools and with a marker added, as a library in threads would do at best.',
    'gpt-4.1 finds beginnings by itself, and spills over to another machine above some fifteen requests a minute with one beginning: what was written on one is not on the other. The preload stays below that, and takes minutes from 16 agents on; the first real requests do not.',
    'The first real requests of all agents come at one moment, a second after the warming; their cost is beside that of the warming.',
  ]
  return { figures, notes }
}

function figuresOf(of: string, runs: ReadonlyMap<Way, Run>): Figure[] {
  const figures: Figure[] = []
  const shared = runs.get('shared_prefix')
  const nothing = runs.get('nothing')
  if (shared === undefined || nothing === undefined) return []
  for (const [way, one] of runs) {
    if (way === 'nothing') continue
    const aim = way === 'shared_prefix' ? { aim: '1' } : {}
    figures.push({
      name: `${of}: head writes, ${way}`,
      value: one.headWrites,
      unit: '',
      ...aim,
      how: `calls that read nothing; then ${one.missed} of the first real requests found nothing either`,
    })
  }
  for (const [way, one] of runs) {
    figures.push({
      name: `${of}: dollars, ${way}`,
      value: one.warmingUsd + one.firstUsd,
      unit: 'USD',
      how: `$${one.warmingUsd.toFixed(4)} of warming and $${one.firstUsd.toFixed(4)} of first real requests`,
    })
  }
  for (const [way, one] of runs) {
    if (way === 'shared_prefix') continue
    figures.push({
      name: `${of}: time to first token, ${way}`,
      value: quantile(one.firstTokenMs, 0.5) / quantile(shared.firstTokenMs, 0.5),
      unit: '× shared_prefix',
      how: `median of the first real requests, whose only output is one token`,
    })
  }
  for (const [way, one] of runs) {
    if (way === 'shared_prefix' || way === 'nothing') continue
    figures.push({
      name: `${of}: until all are warm, ${way}`,
      value: one.readyMs / shared.readyMs,
      unit: '× shared_prefix',
      how: 'from the order to the last answer, in the lab’s time',
    })
  }
  return figures
}
