import { EXIT } from '../remote/exit.ts'
import type { Call, Spec } from './command.ts'

async function api(call: Call): Promise<number> {
  const [method = '', path = '', file] = call.args
  const content = file === undefined ? {} : { text: await call.file(file) }
  const who = call.has('admin') ? 'admin' : 'account'
  const answer = await call.api.ask(method.toUpperCase(), path.startsWith('/') ? path : `/${path}`, content, who)
  call.shell.print(`${JSON.stringify(answer, null, 2)}\n`)
  return EXIT.done
}

export const rawCommands: readonly Spec[] = [
  {
    usage: 'api <method> <path> [file]',
    about: 'asks any route of the API; the file is its body',
    example: 'pilotlight api POST /observations observations.json',
    options: [['--admin', "with the administrator's key"]],
    run: api,
  },
]
