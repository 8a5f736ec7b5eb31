import { createTransport } from '../providers/transport/send.ts'

/**
 * The network of this process. No other file of the Worker names the global `fetch`. Each call looks it up again, so that a test
 * can replace it.
 */
export const network: typeof globalThis.fetch = (input, init) => fetch(input, init)

/** Sends requests to providers over the network of this process. */
export const transport = createTransport({ fetch: network })
