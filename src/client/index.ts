/** Pilotlight's client: typed by the contract, for Node, Workers, Deno and Bun. Whatever is not imported is not bundled. */

export * from './bots.ts'
export * from './lease.ts'
export * from './observe.ts'
export * from './preload.ts'
export * from './warm.ts'
