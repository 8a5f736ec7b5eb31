import { vi } from 'vitest'
import { createLab } from '../lab/index.ts'
import type { Lab } from '../lab/index.ts'

/** Replaces the network by a lab on the clock of the Worker. Only `http://lab.test` answers. */
export function installLab(): Lab {
  const lab = createLab({ now: () => Date.now(), sleep: () => Promise.resolve(), latency: 'off' })
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    if (new URL(request.url).host !== 'lab.test') return new Response('no network in tests', { status: 599 })
    return lab.fetch(request)
  })
  return lab
}

/** Requests to the lab's providers, oldest first. */
export function received(lab: Lab): { path: string; status: number | null; body: string }[] {
  return lab.transcript.list(0, 2_000)
}

export async function fault(lab: Lab, given: Record<string, unknown>): Promise<void> {
  const answer = await lab.fetch(
    new Request('http://lab.test/_lab/faults', {
      method: 'POST',
      body: JSON.stringify(given),
      headers: { 'content-type': 'application/json' },
    }),
  )
  if (!answer.ok) throw new Error(`the lab refused a fault: ${await answer.text()}`)
}
