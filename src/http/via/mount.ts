import { bearerOf } from '../../calls/access-token.ts'
import { DEFAULT_CREDENTIAL, secretFor } from '../../calls/credential.ts'
import { Failure, FAILURES, failureValue, invalid, readFailure } from '../../contract/failure.ts'
import type { Overrides } from '../../core/model/overrides.ts'
import { CREDENTIAL } from '../../gateway/keys.ts'
import { sealedMessage } from '../../gateway/message/sealed.ts'
import { viaGateway } from '../../gateway/proxy.ts'
import type { Ports, StoredSecret } from '../../gateway/proxy.ts'
import { answered, PATIENCE_MS } from '../../gateway/trust.ts'
import { clockFrom } from '../../runtime/clock.ts'
import type { Clock } from '../../runtime/clock.ts'
import { missingSecrets } from '../../runtime/env.ts'
import type { Access, Environment } from '../../runtime/env.ts'
import { newId } from '../../runtime/ids.ts'
import { freshOverrides, hasFreshOverrides, knowsOverrides } from '../../runtime/overrides.ts'
import { identifyKey } from '../server/auth.ts'
import { directoryOf, registryOf } from '../server/context.ts'
import { errorBody, failureHeaders } from '../server/errors.ts'

/**
 * Answers a call through the gateway. It does not pass the router of the API, which would touch the answer. An answer of ours has the error body of
 * the API, and no `x-pilotlight` header.
 */
export async function answerVia(request: Request, env: Environment, context: ExecutionContext): Promise<Response> {
  try {
    const missing = missingSecrets(env)
    if (missing.length > 0)
      throw new Failure('not_configured', `This deployment lacks secrets: ${missing.join(', ')}.`, { missing })
    const clock = clockFrom(env)
    if (!hasFreshOverrides(clock)) await overridesFor(env, clock, context)
    return await viaGateway(request, {
      vars: env,
      clock,
      waitUntil: (work) => context.waitUntil(work),
      verify: (presented) => verify(env, presented, request.headers.get('cf-connecting-ip')),
      report: (message) => env.OBSERVATIONS.send(sealedMessage(message, env)),
      learningOrder: (account) => registryOf({ env }, account).learningOrder(),
      registerByUse: (account, given) => registryOf({ env }, account).registerByUse(given),
      refuseByUse: (account, why) => registryOf({ env }, account).refuseByUse(why),
      askCallBarrier: (account, wish) => registryOf({ env }, account).askCallBarrier(wish),
      reportCallBarrier: (account, lease, outcome) => registryOf({ env }, account).reportCallBarrier(lease, outcome),
      standing: (account, entries) => registryOf({ env }, account).standing(entries),
      secret: (account, access, credential) => secretOf(env, account, access, credential),
    })
  } catch (thrown) {
    return refused(thrown)
  }
}

/** Reads the overrides, and waits for them as long as for an account. Throws where none were ever read. */
async function overridesFor(env: Environment, clock: Clock, context: ExecutionContext): Promise<void> {
  const reading = freshOverrides(clock, async () => (await directoryOf({ env }).overrides()) as Overrides)
  context.waitUntil(reading)
  await Promise.race([reading, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))])
  if (!knowsOverrides())
    throw new Failure('internal', 'The settings of this deployment cannot be read now. Send the call again.')
}

const verify = async (env: Environment, presented: string, address: string | null): ReturnType<Ports['verify']> => {
  const who = await identifyKey({ env }, presented, address)
  if (who !== 'admin' && who.access === 'read')
    throw new Failure('forbidden', 'This key may only read, and a call through the gateway spends.')
  if (who !== 'admin') return who.account
  throw new Failure('forbidden', "The gateway needs an account's key, not the administrator's.")
}

async function secretOf(env: Environment, account: string, access: Access, name: string | null): Promise<StoredSecret> {
  const credential = name ?? DEFAULT_CREDENTIAL
  const grants = await answered(
    Promise.resolve(registryOf({ env }, account).grantsFor(credential)),
    'The account cannot be reached, and its stored credential is not used without asking it. Send the call again.',
  )
  if (grants === null) throw new Failure('unauthenticated', 'The account was deleted.')
  const generation = grants.credentials.find((one) => one.name === credential)?.generation
  if (generation === undefined && credential !== DEFAULT_CREDENTIAL)
    throw invalid(CREDENTIAL, `this account has no credential of that name. ${INSTEAD}`)
  const wanted = { credential, ...(generation === undefined ? {} : { credentialGeneration: generation }) }
  const secret = usable(() => secretFor(wanted, access, grants.allowedSecrets, grants.credentials, env))
  return { secret: await bearerOf(access, secret, clockFrom(env)), generation: generation ?? 1 }
}

/** The secret that `find` returns. Where none fits, the refusal is ours and not the provider's, whom nobody asked. */
function usable(find: () => string): string {
  try {
    return find()
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure?.kind !== 'provider_key_refused') throw thrown
    throw new Failure('forbidden', `${failure.message.replace(/\.$/, '')}. ${INSTEAD}.`, failure.detail)
  }
}

const INSTEAD =
  'Send a key of the provider, or store one (PUT /accounts/{id}/credentials/{name}) and name it in x-pilotlight-credential'

function refused(thrown: unknown): Response {
  const failure = readFailure(thrown)
  // The text of another error may quote the address, and a key in it.
  if (failure === null) console.error('a call through the gateway failed', thrown instanceof Error ? thrown.name : '')
  const value =
    failure ?? failureValue('internal', 'An internal error occurred before the call was sent. It can be sent again.')
  return Response.json(errorBody(value, newId('req')), {
    status: FAILURES[value.kind].status,
    headers: failureHeaders(value),
  })
}
