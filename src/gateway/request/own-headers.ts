import { LIFETIME_HEADER, lifetime } from '../../contract/lifetime.ts'
import { label, LONGEST_LABEL } from '../../contract/scalars.ts'
import { TEXT_RULES } from '../../core/lint/text-rules.ts'
import { readAccountKey } from '../../runtime/ids.ts'
import { LONGEST_AGENT_NAME } from '../agents.ts'
import { CACHE } from '../bodies/marked.ts'
import { ACCOUNT_KEY, CREDENTIAL, keysOf } from '../keys.ts'

/** Header with a label: the prefix of the body is registered under it. */
export const NAME = 'x-pilotlight-name'

/** Header that has a call wait while another one writes what both begin with. */
const BARRIER = 'x-pilotlight-barrier'
/** Header that has the provider asked why the call missed. */
const DIAGNOSE = 'x-pilotlight-diagnose'
const LEARN = 'x-pilotlight-learn'
const ON_DISCONNECT = 'x-pilotlight-on-disconnect'
const OURS = 'x-pilotlight-'

/** What is wrong with a value, in words that quote nothing of it; null: nothing is. */
type Fault = string | null

/** Every header of ours that a call may carry. A value that is not understood harms no call: it is as good as none, and the answer says so. */
const FAULTS: Readonly<Record<string, (value: string, call: Called) => Fault>> = {
  [ACCOUNT_KEY]: () => null, // a bad one is refused
  [CREDENTIAL]: (_, call) => (carriesOtherKey(call) ? 'the call carries a key of the provider' : null),
  [NAME]: labelFault,
  [BARRIER]: (value, { headers }) =>
    oneOf(['on', 'off'])(value) ??
    (wordOf(value) === 'on' && !headers.has('content-length') ? 'the length of its body is not stated' : null),
  [CACHE]: () => null, // a bad one is refused
  [DIAGNOSE]: oneOf(['on', 'off']),
  [LEARN]: oneOf(['off']),
  [ON_DISCONNECT]: oneOf(['abort', 'drain']),
  [LIFETIME_HEADER]: oneOf(lifetime.options),
  'x-pilotlight-session': agentFault,
  'x-pilotlight-parent': agentFault,
}

/** Most headers that an answer names, and most characters of a name that nobody knows. */
const MOST_NAMED = 5
const MOST_OF_A_NAME = 64

/** Keys, which a client may put where a label belongs: labels are stored and shown. */
const SECRETS = [/\bplk_/, ...TEXT_RULES.filter(({ cause }) => cause === 'secret').map(({ pattern }) => pattern)]

/** A call, as far as its headers and its query say who pays for it. */
type Called = Pick<Request, 'headers' | 'url'>

/** The label of a call, and what is wrong with it; both null: it has none. */
export function labelIn(headers: Headers): { name: string | null; fault: Fault } {
  const given = headers.get(NAME)
  if (given === null) return { name: null, fault: null }
  const fault = faultOf(NAME, { headers, url: '' })
  return { name: fault === null ? given.trim() : null, fault }
}

/** Whether nothing is to be learned from a call. The header can mean nothing else, so a word that is not known is taken for it too. */
export function forbidsLearning(headers: Headers): boolean {
  return headers.has(LEARN)
}

/** Whether the provider's answer is read to its end after its caller left. */
export function asksToDrain(headers: Headers): boolean {
  return wordOf(headers.get(ON_DISCONNECT) ?? '') === 'drain'
}

/** Whether a call waits while another one writes what both begin with. */
export function asksForBarrier(headers: Headers): boolean {
  return wordOf(headers.get(BARRIER) ?? '') === 'on'
}

/** Whether the provider is to be asked why the call missed. */
export function asksForDiagnosis(headers: Headers): boolean {
  return wordOf(headers.get(DIAGNOSE) ?? '') === 'on'
}

/** The reason that an answer gives, with the headers of ours that were not understood. */
export function withFaults(reason: string, call: Called): string {
  const faults = [...call.headers.keys()].flatMap((name) => {
    const fault = name.startsWith(OURS) ? faultOf(name, call) : null
    if (fault === null) return []
    return [`${name.slice(0, MOST_OF_A_NAME)} ${name === LEARN ? 'is taken for off' : 'is ignored'}: ${fault}`]
  })
  const more = faults.length > MOST_NAMED ? [`${faults.length - MOST_NAMED} more headers are not understood`] : []
  return [reason, ...faults.slice(0, MOST_NAMED), ...more].join('; ')
}

function faultOf(name: string, call: Called): Fault {
  const value = (call.headers.get(name) ?? '').trim()
  const judge = Object.hasOwn(FAULTS, name) ? FAULTS[name] : undefined
  if (judge === undefined) return 'it is not known'
  return value === '' && name !== ACCOUNT_KEY ? 'it is blank' : judge(value, call)
}

function wordOf(value: string): string {
  return value.trim().toLowerCase()
}

function oneOf(words: readonly string[]): (value: string) => Fault {
  return (value) => (words.includes(wordOf(value)) ? null : `it must be ${words.join(' or ')}`)
}

function labelFault(value: string): Fault {
  if (value.length > LONGEST_LABEL) return `it is longer than ${LONGEST_LABEL} characters`
  if (!label.safeParse(value).success) return 'it has control characters'
  return SECRETS.some((one) => value.search(one) !== -1) ? 'it looks like a key' : null
}

function agentFault(value: string): Fault {
  return value.length > LONGEST_AGENT_NAME ? `it is longer than ${LONGEST_AGENT_NAME} characters` : null
}

function carriesOtherKey({ headers, url }: Called): boolean {
  const query = /\?[^#]*/.exec(url)?.[0] ?? ''
  return keysOf({ headers, token: null, query }, (key) => readAccountKey(key) !== null).theirs
}
