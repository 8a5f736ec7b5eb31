interface Event {
  at: number
  order: number
  run: () => void
}

/** Future events, a binary heap. They run by time; events of one instant run in the order in which they were planned. */
export class Timeline {
  readonly #heap: Event[] = []
  #order = 0
  #now: number

  constructor(startAt: number) {
    this.#now = startAt
  }

  /** Current instant in whole milliseconds, like a clock's. */
  get now(): number {
    return this.#now
  }

  plan(at: number, run: () => void): void {
    const event = { at: Math.max(this.#now, Math.ceil(at)), order: this.#order++, run }
    const heap = this.#heap
    let place = heap.length
    heap.push(event)
    while (place > 0) {
      const parent = (place - 1) >> 1
      const above = heap[parent] as Event
      if (before(above, event)) break
      heap[place] = above
      place = parent
    }
    heap[place] = event
  }

  /** Runs every event that is planned before `endAt`; then the time is `endAt`. */
  runUntil(endAt: number): void {
    for (;;) {
      const first = this.#heap[0]
      if (first === undefined || first.at >= endAt) break
      this.#now = first.at
      this.#dropFirst()
      first.run()
    }
    this.#now = endAt
  }

  #dropFirst(): void {
    const heap = this.#heap
    const last = heap.pop() as Event
    const size = heap.length
    if (size === 0) return
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= size) break
      if (child + 1 < size && before(heap[child + 1] as Event, heap[child] as Event)) child += 1
      if (before(last, heap[child] as Event)) break
      heap[place] = heap[child] as Event
      place = child
    }
    heap[place] = last
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
