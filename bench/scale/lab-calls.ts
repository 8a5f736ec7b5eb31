import type { Running } from './running.ts'

/** Who sends: keep-alives, first writes from the queue, callers' warms, crews, bots, and callers themselves. */
export const SENDERS = ['kept', 'queued', 'warmed', 'crew', 'bot', 'own'] as const
export type Sender = (typeof SENDERS)[number]

/** The text that marks the requests of a sender. It stands where a body begins, and `n` makes it one of its own. */
export function markOf(sender: Sender, n = 0): string {
  return `[sent by ${sender} ${n}]`
}

/** A call that the lab received, in the machine's time. */
export interface LabCall {
  sender: Sender
  at: number
}

interface Row {
  seq: number
  body: string
  started_at: number
}

/** Characters of a body among which its mark stands. */
const READ_CHARS = 600
const READ_EVERY_MS = 100

/** Reads the lab's transcript while it fills: it keeps the last 2,000 requests only. */
export class LabCalls {
  readonly all: LabCall[] = []
  readonly #running: Running
  readonly #realAt: (at: number) => number
  #seq = 0
  #ended = false
  #reading: Promise<void> = Promise.resolve()

  constructor(running: Running, realAt: (at: number) => number) {
    this.#running = running
    this.#realAt = realAt
  }

  /** Reads until `stop`. */
  start(): void {
    this.#reading = this.#read()
  }

  /** Reads what there is, and no more after that. */
  async stop(): Promise<void> {
    this.#ended = true
    await this.#reading
  }

  /** Calls of ours: of everyone but the callers themselves. */
  ours(afterAt = 0): LabCall[] {
    return this.all.filter(({ sender, at }) => sender !== 'own' && at > afterAt)
  }

  count(sender: Sender): number {
    return this.all.filter((call) => call.sender === sender).length
  }

  async #read(): Promise<void> {
    while (true) {
      const isLast = this.#ended
      const path = `/_lab/transcript?since=${this.#seq}&chars=${READ_CHARS}`
      const { data } = (await (await fetch(this.#running.labUrl + path)).json()) as { data: Row[] }
      const first = data[0]
      if (first !== undefined && first.seq > this.#seq + 1)
        throw new Error('the lab forgot calls before they were read')
      for (const { seq, body, started_at } of data) {
        this.#seq = seq
        const sender = SENDERS.find((one) => body.includes(`[sent by ${one} `))
        if (sender === undefined) throw new Error(`a call that nobody knows: ${body.slice(0, 200)}`)
        this.all.push({ sender, at: this.#realAt(started_at) })
      }
      if (isLast) return
      await new Promise((resolve) => setTimeout(resolve, READ_EVERY_MS))
    }
  }
}
