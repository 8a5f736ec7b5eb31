import { overridesAnswer, providerAnswer } from '../../contract/provider.ts'
import { listOf } from '../../contract/values.ts'
import { newProvider, providerChange } from '../../contract/override.ts'
import { operationsOf } from '../server/openapi-operation.ts'

/** Providers, and the administrator's overrides of their cards. */
export const providers = [
  ...operationsOf('account', {
    'GET /providers': {
      does: 'Lists the providers, with the facts of their models.',
      answers: listOf(providerAnswer),
    },
  }),
  ...operationsOf('admin', {
    'GET /providers/{id}': {
      does: "Lists the administrator's overrides of a provider's card, newest first.",
      answers: overridesAnswer,
    },
    'PUT /providers/{id}': {
      does: 'Adds a provider that speaks the wire format of another one, or replaces an added one.',
      body: newProvider,
      answers: overridesAnswer,
    },
    'PATCH /providers/{id}': {
      does: 'Overrides facts of the card. The change takes effect everywhere within 30 seconds.',
      body: providerChange,
      answers: overridesAnswer,
    },
    'DELETE /providers/{id}': {
      does: 'Removes the overrides; an added provider is removed with them.',
      answers: overridesAnswer,
    },
  }),
]
