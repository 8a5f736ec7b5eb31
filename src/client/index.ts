/** Pilotlight's client for Node, Workers, Deno and Bun, typed by the contract. Bundlers leave out the parts that are not imported. */

export * from './bots.ts'
export * from './caches.ts'
export * from './lease.ts'
export * from './observe.ts'
export * from './preload.ts'
export * from './warm.ts'
