import { EXIT } from '../remote/exit.ts'
import type { Json } from '../remote/api.ts'
import { pairsOf } from '../remote/table.ts'
import { at, count, text, usd } from '../remote/words.ts'
import { given, withMembers } from './command.ts'
import type { Call, Spec } from './command.ts'

const EVERY_MS = 1_000
const UNDER_WAY = new Set(['queued', 'running', 'waiting'])

async function preload(call: Call): Promise<number> {
  const members = given({ background: true, strategy: call.flag('strategy') })
  let job = await call.api.ask('POST', '/preload', { text: withMembers(await call.file(call.arg(0)), members) })
  let told = ''
  while (UNDER_WAY.has(text(job['status'])) && !call.has('background')) {
    await call.shell.sleep(EVERY_MS)
    job = await call.api.get(`/jobs/${text(job['id'])}`)
    const line = progressOf(job)
    if (line !== told) call.shell.tell(`${line}\n`)
    told = line
  }
  call.show(job, () =>
    pairsOf([
      ['job', `${text(job['id'])}: ${text(job['status'])}`],
      ['why', text(job['why'])],
      ['agents', `${count(job['succeeded'])} warm, ${count(job['failed'])} failed, ${count(job['skipped'])} skipped`],
      ['calls', count(job['calls'])],
      ['cost', usd(job['cost_usd'])],
      ['alone', `${usd(job['without_coordination_usd'])}, saved ${usd(job['saved_usd'])}`],
      ...agentsOf(job).flatMap((agent): [string, string][] =>
        agent['failure'] == null
          ? []
          : [[`agent ${text(agent['name'] ?? agent['index'])}`, text(at(agent, 'failure', 'message'))]],
      ),
    ]),
  )
  return job['status'] === 'failed' ? EXIT.finding : EXIT.done
}

function agentsOf(job: Json): Json[] {
  return (job['agents'] as Json[] | undefined) ?? []
}

function progressOf(job: Json): string {
  const agents = agentsOf(job)
  const done = agents.filter((agent) => !UNDER_WAY.has(text(agent['status']))).length
  return `${done} of ${agents.length} agents done`
}

async function render(call: Call): Promise<number> {
  const answer = await call.api.ask('POST', '/render', { text: await call.file(call.arg(0)) })
  call.show(answer, () => {
    const advice = (answer['advice'] as Json[] | undefined) ?? []
    const findings = (answer['findings'] as Json[] | undefined) ?? []
    return (
      pairsOf([
        ['ends at', text(at(answer, 'prefix_ends_at', 'path') ?? answer['prefix_ends_at'])],
        ['tokens', count(answer['estimated_tokens'])],
      ]) +
      [...advice, ...findings].map((each) => `${text(each['cause'])}: ${text(each['message'])}\n`).join('') +
      `${text(answer['body'])}\n`
    )
  })
  return EXIT.done
}

async function diagnose(call: Call): Promise<number> {
  const answer = await call.api.ask('POST', `/prefixes/${encodeURIComponent(call.arg(0))}/diagnose`, {
    text: `{"request":${(await call.file(call.arg(1))).trim()}}`,
  })
  call.show(answer, () =>
    pairsOf([
      ['verdict', `${text(answer['verdict'])}, sure to ${text(answer['confidence'])}`],
      ['why', text(answer['why'])],
      ['at', answer['first_difference'] == null ? null : text(at(answer, 'first_difference', 'path'))],
      ['lost', `${count(answer['lost_tokens'])} tokens, ${usd(answer['cost_usd'])}`],
      ['fix', text(answer['fix'])],
    ]),
  )
  if (answer['verdict'] === 'no_miss') return EXIT.done
  return answer['verdict'] === 'unknown' ? 2 : EXIT.finding
}

export const crewCommands: readonly Spec[] = [
  {
    usage: 'preload <file>',
    about: 'warms a crew of agents, the part that they share once; the file is a body of POST /preload',
    example: 'pilotlight preload crew.json',
    options: [
      ['--strategy <name>', 'shared_prefix, parallel or sequential'],
      ['--background', 'does not wait'],
    ],
    run: preload,
  },
  {
    usage: 'render <file>',
    about: 'shows a body of POST /warm as the provider would get it, and where its prefix ends; sends nothing',
    example: 'pilotlight render body.json',
    run: render,
  },
  {
    usage: 'diagnose <name> <file>',
    about: 'says why a request (its body) does not read a registered prefix',
    example: 'pilotlight diagnose support-agent request.json',
    run: diagnose,
  },
]
