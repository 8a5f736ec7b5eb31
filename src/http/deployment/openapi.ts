import * as z from 'zod'
import { killSwitch } from '../../contract/account.ts'
import { operationsOf } from '../server/openapi-operation.ts'
import { healthAnswer, killSwitchAnswer } from '../../contract/values.ts'

/** The deployment itself. */
export const deployment = [
  ...operationsOf(null, {
    'GET /': {
      does: 'The page that people look at.',
      answers: { 200: 'text/html' },
    },
    'GET /health': {
      does: 'Whether this deployment does its work.',
      answers: healthAnswer,
    },
    'GET /openapi.json': {
      does: 'This document.',
      answers: z.record(z.string(), z.unknown()),
    },
  }),
  ...operationsOf('admin', {
    'POST /kill-switch': {
      does: 'Stops every plan of every account, or lets them go on.',
      body: killSwitch,
      answers: killSwitchAnswer,
    },
  }),
]
