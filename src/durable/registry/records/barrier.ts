/** What a caller at a barrier is told. */
export interface BarrierAnswer {
  role: 'leader' | 'ready' | 'wait'
  /** The name under which a leader reports; null for everybody else. */
  lease: string | null
  /** Leader: until when it is believed alive. Ready: until when it can be read, as far as is known. Wait: until when its leader is. */
  until: number | null
  why: string
}
