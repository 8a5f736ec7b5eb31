import { VERSION } from '../../runtime/version.ts'
import { CommandError, EXIT } from '../remote/exit.ts'
import type { Json } from '../remote/api.ts'
import { at, count, duration, text, usd } from '../remote/words.ts'
import { wantsColours } from '../shell.ts'
import type { Call, Spec } from './command.ts'
import { prefixPath } from './prefix-words.ts'

/** One thing that was checked. `fix`: the command that mends it; null: nothing is wrong, or nothing was tried. */
interface Check {
  check: string
  state: 'ok' | 'finding' | 'skipped'
  says: string
  fix: string | null
}

/** Cron runs once a minute: after so long without a sweep it is not heard. */
const CRON_HEARD_MS = 180_000
const MOST_SKEW_MS = 30_000
const MOST_BACKLOG = 1_000
const MOST_OVERDUE_MS = 60_000

const ok = (check: string, says: string): Check => ({ check, state: 'ok', says, fix: null })
const skipped = (check: string, says: string): Check => ({ check, state: 'skipped', says, fix: null })
const finding = (check: string, says: string, fix: string): Check => ({ check, state: 'finding', says, fix })

/** What `GET /health` shows. `now`: the time of this machine. Pure. */
export function healthChecks(health: Json, now: number): Check[] {
  const rate = Number(health['clock_rate'] ?? 1)
  const theirs = Date.parse(text(health['now']))
  const swept = health['last_sweep_at']
  const agoMs = typeof swept === 'string' ? theirs - Date.parse(swept) : null
  const skewMs = Math.abs(theirs - now)
  const backlog = Number(health['queue_backlog'] ?? 0)
  const overdueMs = Number(health['oldest_overdue_ms'] ?? 0)
  const version = text(health['version'])
  const failed = Object.entries((health['work'] as Record<string, Json> | undefined) ?? {}).filter(
    ([, one]) => Number(one['failed']) > 0,
  )
  return [
    version === VERSION
      ? ok('version', `${version}, as this program`)
      : finding('version', `The deployment is ${version}, this program ${VERSION}.`, 'npm run deploy'),
    agoMs !== null && agoMs <= CRON_HEARD_MS * rate
      ? ok('cron', `heard ${duration(agoMs)} ago`)
      : finding(
          'cron',
          agoMs === null ? 'No sweep was ever heard.' : `The last sweep was ${duration(agoMs)} ago.`,
          'npx wrangler triggers deploy',
        ),
    backlog <= MOST_BACKLOG && overdueMs <= MOST_OVERDUE_MS * rate
      ? ok('queue', `${count(backlog)} messages wait, nothing is overdue by more than ${duration(overdueMs)}`)
      : finding(
          'queue',
          `${count(backlog)} messages wait, and the oldest keep-alive is overdue by ${duration(overdueMs)}.`,
          'npx wrangler queues info pilotlight-probes',
        ),
    rate === 1 && skewMs > MOST_SKEW_MS
      ? finding('clock', `It differs from this machine's by ${duration(skewMs)}.`, 'timedatectl set-ntp true')
      : ok('clock', rate === 1 ? `differs by ${duration(skewMs)}` : `runs ${rate} times as fast, with the lab`),
    failed.length === 0
      ? ok('maintenance', 'nothing failed')
      : finding(
          'maintenance',
          `Work failed for some accounts: ${failed.map(([name]) => name).join(', ')}.`,
          'npx wrangler tail',
        ),
  ]
}

/** Runs a check whose call may be refused. */
async function tried(check: string, fix: string, work: () => Promise<Check>): Promise<Check> {
  try {
    return await work()
  } catch (thrown) {
    if (!(thrown instanceof CommandError)) throw thrown
    const missing = /lacks secrets: (.+?)\.?$/.exec(thrown.message)?.[1]
    if (missing !== undefined)
      return finding('secrets', thrown.message, `npx wrangler secret put ${missing.split(',')[0]?.trim() ?? ''}`)
    return finding(check, thrown.message, fix)
  }
}

async function accountCheck(call: Call): Promise<Check> {
  if (!call.api.has('account'))
    return skipped('account key', 'none is given: PILOTLIGHT_KEY, or "key" in .pilotlight.json')
  return tried('account key', 'pilotlight keys ACCOUNT --add', async () => {
    const page = await call.api.get('/prefixes?needs_somebody=true&limit=200')
    const waiting = (page['data'] as Json[]).length
    return waiting === 0
      ? ok('account key', 'is good, and no plan needs somebody')
      : finding('plans', `${waiting} plans have stopped and need somebody.`, 'pilotlight ls --stopped')
  })
}

async function adminCheck(call: Call): Promise<Check> {
  if (!call.api.has('admin')) return skipped('kill switch', 'not asked: no PILOTLIGHT_ADMIN_KEY is given')
  return tried('administrator', 'npx wrangler secret put ADMIN_KEY', async () => {
    const { on } = await call.api.get('/kill-switch', 'admin')
    return on === true
      ? finding('kill switch', 'It is on: Pilotlight sends no call of its own.', 'pilotlight kill off')
      : ok('kill switch', 'off')
  })
}

/** An address below /via without a key must be refused, and by the deployment itself. */
async function baseUrlCheck(call: Call): Promise<Check> {
  try {
    await call.api.ask('GET', '/via/openai/v1/models', {}, 'nobody')
    return finding('base URL', 'The gateway took a call without a key.', 'unset VIA_OPEN, then npm run deploy')
  } catch (thrown) {
    if (!(thrown instanceof CommandError)) throw thrown
    return thrown.exit === EXIT.noPermission
      ? ok('base URL', `${call.api.url}/via/PROVIDER answers, and wants a key`)
      : finding('base URL', `${call.api.url}/via/PROVIDER answered: ${thrown.message}`, 'npm run deploy')
  }
}

async function probeCheck(call: Call): Promise<Check> {
  const name = call.flag('probe')
  if (name === undefined)
    return skipped('probe', 'not sent, because it costs; pilotlight doctor --probe NAME sends one')
  return tried('probe', `pilotlight show ${name}`, async () => {
    const answer = await call.api.ask('POST', `${prefixPath(name)}/warm`, { body: {} })
    const kind = text(at(answer, 'receipt', 'kind'))
    const price = usd(at(answer, 'receipt', 'cost_usd'))
    return ['written', 'full'].includes(kind)
      ? ok('probe', `${kind}, ${price}`)
      : finding('probe', `The probe was ${kind}, ${price}.`, `pilotlight show ${name}`)
  })
}

async function doctor(call: Call): Promise<number> {
  const { api, shell } = call
  const seen: Check[] = []
  const health = await tried('health', 'npm run deploy', async () => {
    const answer = await api.get('/health', 'nobody')
    seen.push(...healthChecks(answer, shell.now()))
    return ok('health', `${api.url} answers: ${text(answer['status'])}`)
  })
  const all = [health, ...seen]
  if (health.state === 'ok')
    all.push(await accountCheck(call), await adminCheck(call), await baseUrlCheck(call), await probeCheck(call))
  const found = all.filter(({ state }) => state === 'finding')
  call.show(
    { checks: all, findings: found.length },
    () => all.map((one) => lineOf(call, one)).join('') + summaryOf(found.length),
  )
  return found.length === 0 ? EXIT.done : EXIT.finding
}

function lineOf(call: Call, { check, state, says, fix }: Check): string {
  const [mark, colour] = ({ ok: ['ok', 32], finding: ['!!', 31], skipped: ['--', 90] } as const)[state]
  const sign = wantsColours(call.shell) ? `\u001b[${colour}m${mark}\u001b[0m` : mark
  return `${sign}  ${check.padEnd(13)}  ${says}\n${fix === null ? '' : `${' '.repeat(19)}→ ${fix}\n`}`
}

function summaryOf(findings: number): string {
  if (findings === 0) return '\nNothing is wrong.\n'
  return `\n${findings} ${findings === 1 ? 'thing is' : 'things are'} wrong; the arrows say what mends each.\n`
}

export const doctorCommands: readonly Spec[] = [
  {
    usage: 'doctor',
    about: 'checks a deployment end to end, and names the command that mends each finding; spends nothing unasked',
    example: 'pilotlight doctor --probe support-agent',
    options: [['--probe <name>', 'warms this prefix now, which costs what a probe costs']],
    run: doctor,
  },
]
