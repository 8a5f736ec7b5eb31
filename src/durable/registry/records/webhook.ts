import type { SealedWith } from '../../../runtime/seal.ts'

export interface WebhookView {
  url: string
  createdAt: number
  secretAt: number
  sealedWith: SealedWith
  waiting: number
  undeliverable: number
  delivered: number
  lastDeliveredAt: number | null
  lastFailure: { at: number; why: string } | null
}
