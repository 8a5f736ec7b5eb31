/** Being asked to stop: by Ctrl-C, by a signal, or by the end of the process that started this one. */

export interface Stop {
  signal: AbortSignal
  /** Settles when stopping is asked for. */
  asked: Promise<void>
  /** What a second request does. */
  force: (how: () => void) => void
}

/**
 * One Ctrl-C arrives several times: the terminal sends it to every process of the group, and npm and run.mjs pass theirs on.
 * Only what comes later than this counts as a second one.
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
