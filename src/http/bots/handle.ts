import type { NewBot } from '../../contract/bot.ts'
import type { CacheInput } from '../../contract/cache.ts'
import { Failure, invalid } from '../../contract/failure.ts'
import { EXIT_TOOL } from '../../contract/tool.ts'
import type { BotConfig } from '../../durable/registry/records/bot.ts'
import type { Card } from '../../providers/card.ts'
import { unpack } from '../../runtime/bytes.ts'
import { cardFor } from '../../registration/native.ts'
import { registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { managedCacheNamed, wantedHandle, withoutHandle } from '../server/handle.ts'

/** Settings of a bot without its handle, and what became of that. */
export interface HandleOfBot {
  given: NewBot
  contents: BotConfig['contents']
}

/**
 * Resolves the handle that a new bot names: every call then refers to it, and carries neither system nor tools. Where the provider has no
 * handles it stays in the settings, which say so. Throws for a handle that is not the account's, and for settings that the handle contains.
 */
export async function handleOfBot(c: Call, given: NewBot, card: Card): Promise<HandleOfBot> {
  const wanted = wantedHandle(given.cache)
  const references = card.managedCaches?.references
  if (wanted === null || references === undefined) return { given, contents: undefined }
  const { model, credential, region, system_prompt: system = '', tools = [], exit_tool: exit = false } = given
  const { k, record } = await managedCacheNamed(c, card, wanted, { model, credential, region })
  if (system !== '') throw invalid('system_prompt', 'must be absent with a handle, which contains the system prompt')
  if (given.keep_warm !== undefined) {
    throw invalid('keep_warm', 'must be absent with a handle, which its managed cache keeps (PATCH /caches/{id})')
  }
  const bytes = await registryOf(c).handleBody(k)
  const declared = new Set(bytes === null ? [] : references.toolNames(unpack(bytes)))
  const missing = tools.findIndex(({ name }) => !declared.has(name))
  if (missing >= 0)
    throw invalid(`tools[${missing}].name`, 'is not declared in the handle, whose tools are the only ones')
  if (exit && !declared.has(EXIT_TOOL)) {
    throw invalid('exit_tool', `needs a tool ${EXIT_TOOL} in the handle, whose tools are the only ones`)
  }
  const plain = { ...given, cache: withoutHandle(given.cache), credential: record.credential, region: record.region }
  return { given: plain, contents: { cache: record.id } }
}

/** What a turn asks of the cache, without its handle. A bot keeps the handle that it was created with: throws `unsupported` for another. */
export async function cacheWithoutHandle(
  c: Call,
  cache: CacheInput,
  { provider, model, contents }: BotConfig,
): Promise<CacheInput> {
  const wanted = wantedHandle(cache)
  const card = cardFor(provider, 'provider')
  if (wanted === null || card.managedCaches === undefined) return cache
  const { record } = await managedCacheNamed(c, card, wanted, { model })
  if (record.id === contents?.cache) return withoutHandle(cache) ?? 'auto'
  const text = `${wanted.at}: a bot refers to one handle for all its life, which is named when it is created.`
  throw new Failure('unsupported', text, { field: wanted.at })
}
