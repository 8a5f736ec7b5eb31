import { VIA } from '../gateway/route.ts'
import type { Environment } from '../runtime/env.ts'
import { app } from './app.ts'
import { answerVia } from './via/mount.ts'

/** Answers every request to the Worker: a caller's own call to a provider, or one to the API. */
export function serve(request: Request, env: Environment, context: ExecutionContext): Response | Promise<Response> {
  return new URL(request.url).pathname.startsWith(VIA)
    ? answerVia(request, env, context)
    : app.fetch(request, env, context)
}
