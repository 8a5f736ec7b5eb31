/** The answer to a caller at a barrier. */
export interface BarrierAnswer {
  role: 'leader' | 'ready' | 'wait'
  /** The id with which a leader reports. Null for other roles. */
  lease: string | null
  /** Leader: when its lease ends. Ready: until when the entry is believed readable. Wait: when the leader's lease ends. */
  until: number | null
  why: string
}
