import { throwingHere } from './answered.ts'
import type { Environment } from './env.ts'

type Objects<Name extends 'BOT' | 'DIRECTORY' | 'REGISTRY'> = Pick<Environment, Name>

/** The Registry of an account. What fails there is thrown here, and the runtime logs nothing of it. */
export function registryAt(
  env: Objects<'REGISTRY'>,
  account: string,
): ReturnType<Environment['REGISTRY']['getByName']> {
  return throwingHere(env.REGISTRY.getByName(account))
}

/** The Directory of the deployment, likewise. */
export function directoryAt(env: Objects<'DIRECTORY'>): ReturnType<Environment['DIRECTORY']['getByName']> {
  return throwingHere(env.DIRECTORY.getByName('directory'))
}

/** A bot by the name of its object, likewise. */
export function botAt(env: Objects<'BOT'>, name: string): ReturnType<Environment['BOT']['getByName']> {
  return throwingHere(env.BOT.getByName(name))
}
