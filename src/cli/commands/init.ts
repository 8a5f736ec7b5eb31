import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CommandError, EXIT } from '../remote/exit.ts'
import { PROJECT_FILE, settingsOf, userFile } from '../remote/settings.ts'
import type { Call, Spec } from './command.ts'

/** What people run, and the line that connects it. Each has a page in docs/clients. */
const STACKS: Readonly<Record<string, (url: string) => string>> = {
  'anthropic-sdk': (url) => `ANTHROPIC_BASE_URL=${url}/via/anthropic`,
  'openai-sdk': (url) => `OPENAI_BASE_URL=${url}/via/openai/v1`,
  'gemini-sdk': (url) => `GOOGLE_GEMINI_BASE_URL=${url}/via/gemini`,
  'ai-sdk': (url) =>
    `createAnthropic({ baseURL: '${url}/via/anthropic/v1', headers: { 'x-pilotlight-key': process.env.PILOTLIGHT_KEY } })`,
  langchain: (url) =>
    `new ChatAnthropic({ clientOptions: { baseURL: '${url}/via/anthropic', defaultHeaders: { 'x-pilotlight-key': process.env.PILOTLIGHT_KEY } } })`,
  'openai-agents': (url) => `OPENAI_BASE_URL=${url}/via/openai/v1`,
  litellm: (url) => `api_base: ${url}/via/~TOKEN/anthropic`,
  'claude-code': (url) => `ANTHROPIC_BASE_URL=${url}/via/~TOKEN/anthropic claude`,
  codex: (url) => `base_url = "${url}/via/~TOKEN/openai/v1"`,
  curl: (url) =>
    `curl ${url}/via/anthropic/v1/messages -H "x-pilotlight-key: $PILOTLIGHT_KEY" -H "x-api-key: $ANTHROPIC_API_KEY" …`,
}

const NAMES = Object.keys(STACKS)

async function init(call: Call): Promise<number> {
  const url = await urlOf(call)
  const stack = await stackOf(call)
  const line = STACKS[stack]?.(url) ?? ''
  const written = call.has('write') ? write(call, url) : null
  call.show(
    {
      stack,
      url,
      line,
      token: line.includes('TOKEN'),
      file: written,
      page: `docs/clients/${stack.replace(/-sdk$/, '')}.md`,
    },
    () =>
      [
        'Change one line:',
        '',
        `  ${line}`,
        '',
        line.includes('TOKEN')
          ? 'TOKEN opens the gateway alone: pilotlight tokens ACCOUNT --add makes one.'
          : 'Send the account key in the header x-pilotlight-key, beside your provider\u2019s own key.',
        'An answer then has the header x-pilotlight: observed. pilotlight stats shows its hit rate.',
        ...(written === null
          ? [`pilotlight init --write keeps the address in ${PROJECT_FILE}.`]
          : [`${written} has the address now. Keep keys in PILOTLIGHT_KEY, or in ${userFile(call.shell)}.`]),
        '',
      ].join('\n'),
  )
  return EXIT.done
}

async function urlOf(call: Call): Promise<string> {
  try {
    return settingsOf(call.shell, call.flags).url
  } catch (thrown) {
    if (!(thrown instanceof CommandError) || thrown.exit !== EXIT.notConfigured || !call.shell.stdin.isTerminal)
      throw thrown
    call.shell.tell('Where is the deployment? (https://pilotlight.NAME.workers.dev) ')
    const given = await call.line()
    return settingsOf(call.shell, { url: given }).url
  }
}

async function stackOf(call: Call): Promise<string> {
  const given = call.flag('stack') ?? (await asked(call))
  if (NAMES.includes(given)) return given
  throw new CommandError(EXIT.usage, `--stack must be one of ${NAMES.join(', ')}.`)
}

async function asked(call: Call): Promise<string> {
  const { shell } = call
  if (!shell.stdin.isTerminal) throw new CommandError(EXIT.usage, `Say what you run: --stack ${NAMES.join('|')}.`)
  shell.tell(
    `What do you run?\n${NAMES.map((name, index) => `  ${String(index + 1).padStart(2)}  ${name}\n`).join('')}> `,
  )
  const answer = await call.line()
  return NAMES[Number(answer) - 1] ?? answer
}

/** Keeps the address for a project. What else is in its file stays. */
function write(call: Call, url: string): string {
  const path = join(call.shell.cwd, PROJECT_FILE)
  const before = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as object) : {}
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify({ ...before, url }, null, 2)}\n`)
  return path
}

export const initCommands: readonly Spec[] = [
  {
    usage: 'init',
    about: 'asks what you run, and writes the one line that connects it',
    example: 'pilotlight init --stack claude-code --url https://pilotlight.example.workers.dev',
    options: [
      ['--stack <name>', NAMES.join(', ')],
      ['--write', `keeps the address in ${PROJECT_FILE}`],
    ],
    run: init,
  },
]
