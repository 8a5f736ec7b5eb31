/** Requests to stop: Ctrl-C, a signal, or the end of the process that started this one. */

export interface Stop {
  signal: AbortSignal
  /** Resolves at the first request to stop. */
  asked: Promise<void>
  /** Called at a second request. */
  force: (how: () => void) => void
}

/**
 * One Ctrl-C arrives several times: the terminal sends it to every process of the group, and npm and run.mjs pass theirs on. Only a
 * signal after this time counts as a second request.
 */
const echoMs = 1000

export function stopSignal(): Stop {
  const controller = new AbortController()
  let how: () => void = () => undefined
  let firstAt: number | null = null
  const { promise, resolve } = Promise.withResolvers<void>()
  const ask = (): void => {
    if (firstAt === null) {
      firstAt = performance.now()
      controller.abort()
      resolve()
    } else if (performance.now() - firstAt > echoMs) how()
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, ask)
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent && firstAt === null) ask()
  }, 1000).unref()
  return { signal: controller.signal, asked: promise, force: (next) => void (how = next) }
}
