import { EXIT, CommandError } from '../remote/exit.ts'
import type { Json } from '../remote/api.ts'
import { pairsOf } from '../remote/table.ts'
import { at, text, usd } from '../remote/words.ts'
import type { Call, Spec } from './command.ts'

const EVERY_MS = 500
const LIVES = new Set(['running', 'paused'])

async function bots(call: Call): Promise<number> {
  const [what, id] = call.args
  if (what === undefined) return list(call)
  if (id === undefined)
    throw new CommandError(EXIT.usage, 'Name the bot: pilotlight bots chat BOT, or pilotlight bots show BOT.')
  const path = `/bots/${encodeURIComponent(id)}`
  if (what === 'chat') return chat(call, path)
  const routes: Readonly<Record<string, readonly [string, string]>> = {
    show: ['GET', path],
    pause: ['POST', `${path}/pause`],
    resume: ['POST', `${path}/resume`],
    rm: ['DELETE', path],
  }
  const route = Object.hasOwn(routes, what) ? routes[what] : undefined
  if (route === undefined) throw new CommandError(EXIT.usage, 'Say chat, show, pause, resume or rm.')
  const answer = await call.api.ask(route[0], route[1])
  call.show(answer, () => pairsOf(Object.entries(answer).map(([name, value]) => [name, text(value)] as const)))
  return EXIT.done
}

async function list(call: Call): Promise<number> {
  call.showTable(
    [
      { title: 'ID', of: (row: Json) => text(row['id']) },
      { title: 'STATUS', of: (row: Json) => text(row['status']) },
      { title: 'MODEL', of: (row: Json) => text(row['model']) },
      { title: 'SPENT', of: (row: Json) => usd(row['spent_usd']), right: true },
      { title: 'ACTIVE', of: (row: Json) => text(row['active_at']).slice(0, 16) },
    ],
    await call.api.list('/bots?limit=50'),
    'There is no bot: POST /bots makes one (pilotlight api POST /bots FILE).',
  )
  return EXIT.done
}

/** Sends one message a line, and prints each answer. Without a terminal, the lines of the standard input. */
async function chat(call: Call, path: string): Promise<number> {
  const once = call.flag('message')
  if (once !== undefined) return said(call, path, once)
  const decoder = new TextDecoder()
  let left = ''
  if (call.shell.stdin.isTerminal) call.shell.tell('Write a message and press Enter; Ctrl-D ends.\n> ')
  for await (const piece of call.shell.input) {
    left += decoder.decode(piece, { stream: true })
    const lines = left.split('\n')
    left = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') await said(call, path, line.trim())
    if (call.shell.stdin.isTerminal) call.shell.tell('> ')
  }
  return left.trim() === '' ? EXIT.done : said(call, path, left.trim())
}

async function said(call: Call, path: string, message: string): Promise<number> {
  const sent = await call.api.ask('POST', `${path}/messages`, { body: { text: message } })
  const turn = text(sent['turn_id'])
  for (;;) {
    const bot = await call.api.get(path)
    const last = at(bot, 'last_response')
    const isOver = !LIVES.has(text(bot['status']))
    if (text(at(last, 'turn_id')) === turn) {
      call.show(last, () => `${text(at(last, 'text') ?? at(last, 'reason'))}\n`)
      call.shell.tell(`${usd(bot['spent_usd'])} so far\n`)
      return EXIT.done
    }
    if (isOver) {
      call.show(bot, () => `The bot has ended: ${text(bot['why'] ?? bot['status'])}.\n`)
      return EXIT.finding
    }
    await call.shell.sleep(EVERY_MS)
  }
}

export const botCommands: readonly Spec[] = [
  {
    usage: 'bots [what] [id]',
    about: 'lists bots; talks to one (chat), shows it (show), pauses, resumes or ends it (rm)',
    example: 'pilotlight bots chat bot_0123456789abcdef',
    options: [['--message <text>', 'one message, in place of a conversation']],
    run: bots,
  },
]
