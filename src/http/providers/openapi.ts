import { overrideAnswer, providerAnswer } from '../../contract/provider.ts'
import { listOf } from '../../contract/values.ts'
import { providerChange } from '../../contract/override.ts'
import { operationsOf } from '../server/openapi-operation.ts'

/** Providers, and what the administrator says over their cards. */
export const providers = [
  ...operationsOf('account', {
    'GET /providers': {
      does: 'The providers, and what is known of their models.',
      answers: listOf(providerAnswer),
    },
  }),
  ...operationsOf('admin', {
    'GET /providers/{id}': {
      does: "What the administrator said over a provider's card, the newest first.",
      answers: listOf(overrideAnswer),
    },
    'PATCH /providers/{id}': {
      does: 'Puts facts over those of the card: in force everywhere within 30 seconds.',
      body: providerChange,
      answers: listOf(overrideAnswer),
    },
    'DELETE /providers/{id}': {
      does: 'Back to the card alone.',
      answers: listOf(overrideAnswer),
    },
  }),
]
