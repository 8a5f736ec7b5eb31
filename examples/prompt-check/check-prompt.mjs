/**
 * Tells what a change of a prompt does to the cache: whether its prefix is still the registered one, where it differs, and what the
 * next release pays for it. Needs Node 20 and nothing else.
 *
 *   PILOTLIGHT_URL=… PILOTLIGHT_KEY=… node check-prompt.mjs NAME PROVIDER BODY.json [COMMENT.md]
 *
 * BODY.json is the body that warm-release.sh of the deploy hook registers under NAME. COMMENT.md gets the text for the pull request.
 * PROMPT_CHANGE_MEANT=true: the change is meant, and told without failing.
 *
 * Exit code: 0 the prefix is the same, or the change is meant; 1 it changes; 2 it cannot be told.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'

const [name, provider, file, comment] = process.argv.slice(2)
const {
  PILOTLIGHT_URL: url,
  PILOTLIGHT_KEY: key,
  PROMPT_CHANGE_MEANT: meant,
  GITHUB_STEP_SUMMARY: summary,
} = process.env

if (file === undefined) stop('usage: check-prompt.mjs NAME PROVIDER BODY.json [COMMENT.md]')
// A pull request from a fork has neither.
if (!url || !key)
  stop('PILOTLIGHT_URL and PILOTLIGHT_KEY must be set. GitHub gives secrets to no pull request from a fork.')

const body = readFileSync(file, 'utf8')
const registered = (await api(`/prefixes?name=${encodeURIComponent(name)}`)).data.find(({ superseded }) => !superseded)
// The body goes as the text that it is, as the deploy hook sends it.
const planned = await api('/warm', `{"dry_run":true,"provider":${JSON.stringify(provider)},"request":${body}}`)

if (registered === undefined) {
  tell(0, `\`${name}\` is registered by no release yet: there is nothing to compare.`)
} else if (planned.id === registered.id) {
  tell(0, `\`${name}\` keeps its prefix: version ${registered.version} stays warm for the next release.`)
} else {
  const lines = [`**\`${name}\` changes its cached prefix.** ${await difference()}`, price()]
  const isMeant = meant === 'true'
  lines.push(
    isMeant
      ? 'The label says that this is meant.'
      : 'If this is meant, set the label `prompt-change`. If not, take the change out of the prefix, or move it behind the last breakpoint.',
  )
  tell(isMeant ? 0 : 1, lines.join('\n\n'))
}

/** Verdict, place and both values. Prompts that are no longer stored are told apart by their ids alone. */
async function difference() {
  const stored = await ask(`/prefixes/${registered.id}/request`)
  if (!stored.ok) return 'Its stored prompt is not at hand, so that the place is not known.'
  const before = (await stored.json()).body
  const found = await api('/diagnose', `{"provider":${JSON.stringify(provider)},"before":${before},"after":${body}}`)
  const { first_difference: first, why, fix } = found
  if (first === null)
    return 'It differs in what Pilotlight tells prefixes apart by, and in nothing that the provider compares.'
  const values = `\n\n\`\`\`diff\n@@ ${first.path}${first.at > 0 ? `, character ${first.at}` : ''} @@\n- ${line(first.before)}\n+ ${line(first.after)}\n\`\`\``
  return `${found.verdict}: ${why} ${fix}${values}`
}

function price() {
  const { first_write_cost_usd: once, cost_usd_per_day: day } = planned.plan
  if (once === null)
    return `The next release writes about ${planned.estimated_tokens} tokens anew. Their price is not known.`
  const daily =
    day === null || day === 0
      ? ''
      : ` Keeping it warm costs up to $${day.toFixed(2)} a day, beside the version before until that has no users.`
  return `The next release writes about ${planned.estimated_tokens} tokens anew: $${once.toFixed(4)}, and once more wherever it runs without being warmed.${daily}`
}

function line(text) {
  return text === '' ? '(nothing)' : JSON.stringify(text).slice(1, -1).replaceAll('`', "'")
}

function ask(path, text) {
  const init = text === undefined ? {} : { method: 'POST', body: text }
  return fetch(new URL(path, url), {
    ...init,
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    signal: AbortSignal.timeout(60_000),
  }).catch((error) => stop(`${url} does not answer: ${error.cause?.code ?? error.name}`))
}

async function api(path, text) {
  const answer = await ask(path, text)
  const json = await answer.json().catch(() => null)
  if (!answer.ok) stop(`${path.replace(/\?.*/, '')} answered ${answer.status}: ${json?.message ?? 'no JSON'}`)
  return json
}

function tell(code, text) {
  console.log(text)
  if (comment !== undefined) writeFileSync(comment, `${text}\n`)
  if (summary) appendFileSync(summary, `${text}\n`)
  process.exitCode = code
}

function stop(text) {
  console.error(`check-prompt: ${text}`)
  process.exit(2)
}
