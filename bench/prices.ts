/**
 * Cloudflare's prices of the Paid plan, in dollars, beyond the included amounts. Sources, as of 2026-11-21:
 * developers.cloudflare.com/workers/platform/pricing, /queues/platform/pricing, /durable-objects/platform/pricing.
 */
export const PRICES = {
  workerRequest: 0.3 / 1e6,
  workerCpuMs: 0.02 / 1e6,
  objectRequest: 0.15 / 1e6,
  /** One object in memory for a second, billed as 128 MB: $12.50 per million GB-s. */
  objectSecond: (12.5 / 1e6) * 0.125,
  rowWritten: 1 / 1e6,
  rowRead: 0.001 / 1e6,
  /** One operation: a write, read or delete of 64 kB. */
  queueOperation: 0.4 / 1e6,
  storedGigabyteMonth: 0.2,
}
