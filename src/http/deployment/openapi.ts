import * as z from 'zod'
import { killSwitch } from '../../contract/account.ts'
import { operationsOf } from '../server/openapi-operation.ts'
import { healthAnswer, killSwitchAnswer } from '../../contract/values.ts'

/** The deployment itself. */
export const deployment = [
  ...operationsOf(null, {
    'GET /': {
      does: 'Shows the dashboard.',
      answers: { 200: 'text/html' },
    },
    'GET /health': {
      does: 'Shows whether this deployment works.',
      answers: healthAnswer,
    },
    'GET /openapi.json': {
      does: 'Returns this document.',
      answers: z.record(z.string(), z.unknown()),
    },
  }),
  ...operationsOf('admin', {
    'POST /kill-switch': {
      does: 'Stops every plan of every account, or lets them continue.',
      body: killSwitch,
      answers: killSwitchAnswer,
    },
    'GET /kill-switch': {
      does: 'Shows the kill switch, and how many accounts know of the last change.',
      answers: killSwitchAnswer,
    },
  }),
]
