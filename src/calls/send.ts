import { createTransport } from '../providers/transport/send.ts'

/** The door of this process: the one place that hands out the network. Looked up at each call, so that it is never a stale reference. */
export const transport = createTransport({ fetch: (input, init) => fetch(input, init) })
