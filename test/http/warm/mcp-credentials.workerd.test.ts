import { runInDurableObject } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import type { Directory } from '../../../src/durable/directory/directory.ts'
import type { Registry } from '../../../src/durable/registry/registry.ts'
import { openBytes } from '../../../src/runtime/sealed-bytes.ts'
import { unpack } from '../../../src/runtime/bytes.ts'
import { ACCOUNT, bindings, get, longText, pick, post, received, useLab } from '../support.ts'

const world = useLab()

const claude = (text: string, authorization_token: string) => ({
  model: 'claude-opus-4-8',
  max_tokens: 90,
  mcp_servers: [{ type: 'url', url: 'https://mcp.example.com/sse', name: 'mill', authorization_token }],
  tools: [{ type: 'mcp_toolset', mcp_server_name: 'mill' }],
  system: [{ type: 'text', text, cache_control: { type: 'ephemeral' } }],
  messages: [],
})

/** All that the account stores, as one text. Bodies are opened with the account's key: what is sealed inside of them stays so. */
async function storedText(): Promise<string> {
  const account = (await get('/ledger')).status === 200 ? 'dev' : ACCOUNT
  const directory = bindings.DIRECTORY.getByName('directory') as unknown as DurableObjectStub<Directory>
  const key = await directory.bodyKey(account)
  const stub = bindings.REGISTRY.getByName(account)
  return runInDurableObject(stub as unknown as DurableObjectStub<Registry>, async (_object, { storage: { sql } }) => {
    const rows: string[] = []
    const tables = sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'").toArray()
    for (const { name } of tables) {
      if (name.startsWith('_cf') || name.startsWith('sqlite_') || name === 'body') continue
      for (const row of sql.exec(`SELECT * FROM "${name}"`)) rows.push(...Object.values(row).map(String))
    }
    const parts = sql.exec<{ k: number; bytes: ArrayBuffer }>('SELECT k, bytes FROM body ORDER BY k, part').toArray()
    for (const [k, own] of Map.groupBy(parts, (part) => part.k)) {
      const sealed = Buffer.concat(own.map(({ bytes }) => new Uint8Array(bytes)))
      rows.push(unpack(openBytes(sealed, key, `prefix ${k}`)))
    }
    return rows.join('\n')
  })
}

describe('the credential of an MCP server', () => {
  const one = 'gho_a1B2a1B2a1B2a1B2a1B2a1B2a1B2a1B2a1B2'
  const other = 'gho_c3D4c3D4c3D4c3D4c3D4c3D4c3D4c3D4c3D4'

  it('is no content: another one is the same prefix, and lint names it', async () => {
    const text = longText()
    const [first, second] = await Promise.all(
      [one, other].map((token) => post('/render', { provider: 'anthropic', request: claude(text, token) })),
    )
    expect(pick(first!, 'fingerprint')).toBe(pick(second!, 'fingerprint'))
    expect(pick(first!, 'advice')).toContainEqual(
      expect.objectContaining({ cause: 'secret', at: '/request/mcp_servers/0/authorization_token' }),
    )
    expect(first!.text).not.toContain(one)
  })

  it('is sent with probes, stored sealed, shown to nobody, and replaced by a new registration', async () => {
    const text = longText()
    const register = (token: string) =>
      post('/warm', { provider: 'anthropic', request: claude(text, token), keep_warm: { plan: 'off' } })
    const first = await register(one)
    expect([first.status, pick(first, 'created')]).toEqual([200, true])
    const id = String(pick(first, 'id'))
    const again = await register(other)
    expect([pick(again, 'id'), pick(again, 'created')]).toEqual([id, false])
    await post(`/prefixes/${id}/warm`)
    const sent = received(world.lab).map(({ body }) => JSON.stringify(body))
    expect(sent.map((body) => [body.includes(one), body.includes(other)])).toEqual([
      [true, false],
      [false, true],
      [false, true],
    ])
    const stored = await storedText()
    expect(stored).toContain(id)
    expect(stored).toContain(text.slice(0, 40))
    expect([stored.includes(one), stored.includes(other)]).toEqual([false, false])
    const shown = await get(`/prefixes/${id}/request`)
    expect(shown.text).toContain('"authorization_token":"sealed"')
    // The body that is shown, registered again, keeps the credential.
    await post('/warm', { provider: 'anthropic', request: pick(shown, 'request'), keep_warm: { plan: 'off' } })
    expect(JSON.stringify(received(world.lab).at(-1)?.body)).toContain(other)
  })
})
