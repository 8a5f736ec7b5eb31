import { throwingHere } from './answered.ts'
import type { Environment, Vars } from './env.ts'
import { namespaceOf } from './jurisdiction.ts'

type Objects<Name extends 'BOT' | 'DIRECTORY' | 'REGISTRY'> = Pick<Environment, Name>

/**
 * The Registry of an account, by its name inside. What fails there is thrown here, and the runtime logs nothing of it. Throws `unsupported` where
 * this runtime has no jurisdictions.
 */
export function registryAt(
  env: Objects<'REGISTRY'> & Vars,
  account: string,
): ReturnType<Environment['REGISTRY']['getByName']> {
  return throwingHere(namespaceOf(env.REGISTRY, account, env).getByName(account))
}

/** The Directory of the deployment, likewise. */
export function directoryAt(env: Objects<'DIRECTORY'>): ReturnType<Environment['DIRECTORY']['getByName']> {
  return throwingHere(env.DIRECTORY.getByName('directory'))
}

/** A bot of an account, which is kept where the account is, likewise. `name`: that of its object. */
export function botAt(
  env: Objects<'BOT'> & Vars,
  account: string,
  name: string,
): ReturnType<Environment['BOT']['getByName']> {
  return throwingHere(namespaceOf(env.BOT, account, env).getByName(name))
}
