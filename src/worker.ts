import type { Overrides } from './core/model/overrides.ts'
import { sweep } from './cron/sweep.ts'
import { serve } from './http/serve.ts'
import { consumeObservations } from './queue/observations.ts'
import { consumeDeadProbes, consumeProbes } from './queue/probes.ts'
import { clockFrom } from './runtime/clock.ts'
import type { Environment } from './runtime/env.ts'
import { directoryAt } from './runtime/objects.ts'
import { freshOverrides } from './runtime/overrides.ts'

export { Bot } from './durable/bot/bot.ts'
export { Directory } from './durable/directory/directory.ts'
export { Egress } from './durable/egress.ts'
export { Registry } from './durable/registry/registry.ts'

export default {
  fetch: serve,
  async scheduled(_controller, env) {
    await freshOverrides(clockFrom(env), async () => (await directoryAt(env).overrides()) as Overrides)
    await sweep(env)
  },
  async queue(batch, env, context) {
    if (batch.queue.includes('observations')) await consumeObservations(batch, env)
    else if (batch.queue.includes('dead')) await consumeDeadProbes(batch, env)
    else await consumeProbes(batch, env, context.tracing)
  },
} satisfies ExportedHandler<Environment>
