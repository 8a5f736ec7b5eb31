import type { ClaimEntry } from '../records/claim.ts'
import type { Sql } from '../../sql.ts'
import type { Lease } from '../../../calls/lease.ts'

export interface Claim {
  seq: number
  dueAt: number
  expiresAt: number
  entries: ClaimEntry[]
  leases: Lease[] | null
  reservedNanos: number
}

/** Table of claims: the entries of a message and, once it has begun, their leases. */
export class ClaimStore {
  readonly #sql: Sql
  /** Begun claims in memory: few, and read with every settlement. */
  readonly #begun = new Map<number, Claim>()

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Empties the copies in memory after a rollback. */
  clearCache(): void {
    this.#begun.clear()
  }

  insert(dueAt: number, expiresAt: number, entries: readonly ClaimEntry[]): number {
    const row = this.#sql.all<{ seq: number }>(
      'INSERT INTO claim (due_at, expires_at, entries) VALUES (?, ?, ?) RETURNING seq',
      dueAt,
      expiresAt,
      JSON.stringify(entries),
    )[0]
    if (row === undefined) throw new Error('the insert returned no row')
    return row.seq
  }

  load(seq: number): Claim | null {
    const known = this.#begun.get(seq)
    if (known !== undefined) return known
    const row = this.#sql.all<ClaimRow>('SELECT * FROM claim WHERE seq = ?', seq)[0]
    return row === undefined ? null : claimFrom(row)
  }

  /** Saves the open leases of a begun claim. */
  saveLeases(seq: number, leases: Lease[], expiresAt: number): void {
    const reserved = leases.reduce((sum, lease) => sum + lease.reservedNanos, 0)
    const claim = this.load(seq)
    if (claim !== null) this.#begun.set(seq, { ...claim, leases, expiresAt, reservedNanos: reserved })
    this.#sql.all(
      'UPDATE claim SET leases = ?, expires_at = ?, reserved_nanos = ? WHERE seq = ?',
      JSON.stringify(leases),
      expiresAt,
      reserved,
      seq,
    )
  }

  /**
   * Notes that the body of a leased call is about to be given away: from here on the call may have left. False: the lease has ended, so
   * nobody may have the body. The platform holds the answer of the object back until this write is durable.
   */
  giveBody({ id, seq }: Pick<Lease, 'id' | 'seq'>): boolean {
    const claim = this.load(seq)
    const lease = claim?.leases?.find((one) => one.id === id)
    if (!claim?.leases || lease === undefined) return false
    if (lease.bodyGiven !== false) return true
    const leases = claim.leases.map((one) => (one === lease ? { ...one, bodyGiven: true } : one))
    this.saveLeases(seq, leases, claim.expiresAt)
    return true
  }

  /** Moves the expiry of a claim that has not begun. */
  postpone(seq: number, expiresAt: number): void {
    this.#sql.all('UPDATE claim SET expires_at = ? WHERE seq = ? AND leases IS NULL', expiresAt, seq)
  }

  delete(seq: number): void {
    this.#begun.delete(seq)
    this.#sql.all('DELETE FROM claim WHERE seq = ?', seq)
  }

  expired(now: number): Claim[] {
    return this.#sql.all<ClaimRow>('SELECT * FROM claim WHERE expires_at <= ?', now).map(claimFrom)
  }

  leased(): Claim[] {
    return this.#sql.all<ClaimRow>('SELECT * FROM claim WHERE leases IS NOT NULL').map(claimFrom)
  }
}

interface ClaimRow {
  seq: number
  due_at: number
  expires_at: number
  entries: string
  leases: string | null
  reserved_nanos: number
}

function claimFrom(row: ClaimRow): Claim {
  return {
    seq: row.seq,
    dueAt: row.due_at,
    expiresAt: row.expires_at,
    entries: JSON.parse(row.entries) as ClaimEntry[],
    leases: row.leases === null ? null : (JSON.parse(row.leases) as Lease[]),
    reservedNanos: row.reserved_nanos,
  }
}
