/** The gateway in workerd alone, against callers who mean harm. The provider sees every byte that gets through. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BAD_KEYS } from '../../src/http/server/access/bad-keys.ts'
import { rawWorkerd } from '../support/raw-workerd.ts'
import type { RawWorkerd } from '../support/raw-workerd.ts'
import { answerOf, caller, provider } from '../support/wire.ts'
import type { Caller, Provider } from '../support/wire.ts'

const KEY = 'pilotlight-dev'
const STORED_KEY = 'sk-of-the-deployment'
const admin = { authorization: 'Bearer pilotlight-admin', 'content-type': 'application/json' }

let worker: RawWorkerd
let upstream: Provider
/** Keys of two accounts that share nothing. */
const keys = { acme: '', acmeVia: '', rival: '', rivalVia: '' }

beforeAll(async () => {
  upstream = await provider((call) => {
    void call.whole().then(() => call.socket.end(answerOf('200 OK', ['content-type: application/json'], '{"ok":true}')))
  })
  worker = await rawWorkerd({
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: KEY,
    KEY_ENCRYPTION_SECRET: 'pilotlight-seal-of-tests',
    VLLM_BASE_URL: `${upstream.url}/tenant-a/v1`,
    VLLM_API_KEY: STORED_KEY,
    BEDROCK_REGION: 'eu-west-1',
  })
  for (const account of ['acme', 'rival'] as const) {
    await asAdmin('POST', '/accounts', { id: account, allowed_secrets: ['VLLM_API_KEY'] })
    keys[account] = (await asAdmin('POST', `/accounts/${account}/keys`, {})).key ?? ''
    keys[`${account}Via`] = (await asAdmin('POST', `/accounts/${account}/keys`, { access: 'via' })).key ?? ''
  }
  const credential = { provider: 'vllm', secret: 'sk-of-acme-alone', host: new URL(upstream.url).host }
  await asAdmin('PUT', '/accounts/acme/credentials/team', credential)
})

afterAll(async () => {
  await worker.stop()
  await upstream.close()
})

beforeEach(() => {
  upstream.calls.length = 0
})

async function asAdmin(method: string, path: string, body: object): Promise<Record<string, string>> {
  const answer = await fetch(worker.base + path, { method, headers: admin, body: JSON.stringify(body) })
  expect(answer.ok).toBe(true)
  return (await answer.json()) as Record<string, string>
}

interface Got {
  status: number
  head: string
  text: string
}

const gotOf = (client: Caller): Got => {
  const [head = '', ...rest] = client.bytes().toString('latin1').split('\r\n\r\n')
  return { status: Number(head.split(' ')[1] ?? '0'), head, text: rest.join('\r\n\r\n') }
}

/** Sends a request as it is, and waits for its answer. */
async function sent(line: string, headers: readonly string[] = [], body = ''): Promise<Got> {
  const all = [`${line} HTTP/1.1`, 'Host: pilotlight.test', 'Connection: close', ...headers]
  if (body !== '') all.push(`Content-Length: ${body.length}`)
  const client = caller(worker.base, Buffer.from(`${all.join('\r\n')}\r\n\r\n${body}`, 'latin1'))
  await client.ended
  return gotOf(client)
}

const OWN = [`X-Pilotlight-Key: ${KEY}`, 'Authorization: Bearer sk-own']
const STORED = [`X-Pilotlight-Key: ${KEY}`]

describe('a path that tries to lead elsewhere', () => {
  const paths = [
    '/via/vllm/../../tenant-b/x',
    '/via/vllm/v1/%2e%2e/%2E%2E/tenant-b/x',
    '/via/vllm/v1/..%2f..%2ftenant-b/x',
    '/via/vllm/v1/..%5c..%5ctenant-b/x',
    '/via/vllm/v1/..\\..\\tenant-b',
    '/via/vllm/v1/%252e%252e%252ftenant-b/x',
    '/via/vllm/v1/..;/..;/tenant-b',
    '/via/vllm%2f..%2fx',
    '/via/vllm\\@evil.test/x',
    '/via/vllm:80@evil.test/x',
    '/via/user:pw@evil.test/x',
    '/via/[::1]/x',
    '/via/[::ffff:169.254.169.254]:80/x',
    '/via/169.254.169.254/latest/meta-data',
    '/via/vllm./v1/x',
    '/via/http://evil.test/x',
    '/via//evil.test/x',
    '//evil.test/via/vllm/v1/x',
    '/%76ia/vllm/v1/x',
    '/via/bedrock@evil.test%2f/model/m/converse',
    '/via/bedrock@evil.test%23/model/m/converse',
    '/via/bedrock@evil.test\\/model/m/converse',
    '/via/bedrock@eu%0d%0aHost:evil.test/model/m/converse',
    '/via/bedrock@-/model/m/converse',
    `/via/bedrock@${'x'.repeat(65)}/model/m/converse`,
  ]

  test.each(paths)('%s is refused, and nothing is sent', async (path) => {
    for (const how of [OWN, STORED]) {
      const { status, text } = await sent(`POST ${path}`, how, '{}')
      expect([400, 404]).toContain(status)
      expect(text).not.toMatch(/evil|169\.254|tenant-b/)
    }
    expect(upstream.calls).toHaveLength(0)
  })

  test('goes to the provider all the same where only its host was another', async () => {
    for (const target of [
      'http://evil.test/via/vllm/v1/models',
      'http://u:p@[::1]:1/via/vllm/v1/models',
      '/via/vllm//v1//models',
    ]) {
      expect(
        (await sent(`GET ${target}`, [...OWN, 'X-Forwarded-Host: evil.test', 'Forwarded: host=evil.test'])).status,
      ).toBe(200)
      const head = upstream.calls.at(-1)?.head() ?? ''
      expect(head.split('\r\n')[0]).toBe('GET /tenant-a/v1/models HTTP/1.1')
      expect(head).toMatch(new RegExp(`^host: ${new URL(upstream.url).host}$`, 'im'))
      expect(head).not.toMatch(/evil|u:p/)
    }
    expect((await sent('GET http://evil.test/latest/meta-data', OWN)).status).toBe(404)
    expect(upstream.calls).toHaveLength(3)
  })
})

describe('headers that try to be more than headers', () => {
  test('are not made from what a path or a query encodes', async () => {
    const encoded = '%0d%0aX-Evil:%201%0d%0a%0d%0aGET%20/evil'
    expect((await sent(`GET /via/vllm/v1/files/${encoded}?a=${encoded}`, OWN)).status).toBe(200)
    const head = upstream.calls[0]?.head() ?? ''
    expect(head.split('\r\n')[0]).toBe(`GET /tenant-a/v1/files/${encoded}?a=${encoded} HTTP/1.1`)
    expect(head).not.toMatch(/^x-evil/im)
    expect(upstream.calls).toHaveLength(1)
  })

  test.each([
    ['a bare carriage return', 'X-A: b\rX-Evil: 1'],
    ['a line that goes on', 'X-A: b\r\n X-Evil: 1'],
    ['a null byte', 'X-A: b\0X-Evil: 1'],
    ['a name with a space', 'X-Evil : 1'],
    ['two lengths', 'Content-Length: 0\r\nContent-Length: 5'],
    ['a length beside pieces', 'Content-Length: 5\r\nTransfer-Encoding: chunked'],
    ['pieces under another name', 'Transfer-Encoding: xchunked'],
  ])('%s brings no second header and no second request', async (_, line) => {
    await sent('POST /via/vllm/v1/chat/completions', [...OWN, line])
    expect(upstream.calls.length).toBeLessThan(2)
    for (const call of upstream.calls) {
      const heads =
        call
          .bytes()
          .toString('latin1')
          .match(/ HTTP\/1\.1\r\n/g) ?? []
      expect(heads).toHaveLength(1)
      expect(call.head()).not.toMatch(/^x-evil/im)
    }
  })

  test('of ours with an odd name or value leave one line in the answer', async () => {
    const odd = `X-Pilotlight-${"a!#$%&'*+.^_`|~".repeat(20)}: "\\; x=1`
    const { status, head } = await sent('GET /via/vllm/v1/models', [...OWN, odd])
    expect(status).toBe(200)
    const told = head.split('\r\n').filter((line) => /^x-pilotlight: /i.test(line))
    expect(told).toHaveLength(1)
    expect(told[0]?.match(/"/g)).toHaveLength(2)
    expect(told[0]).not.toContain('x=1')
    expect(told[0]?.length).toBeLessThan(200)
  })

  test('pass whole up to a long length, and beyond what the runtime takes harm nobody else', async () => {
    const long = 'x'.repeat(24_000)
    expect((await sent('GET /via/vllm/v1/models', [...OWN, `X-Long: ${long}`])).status).toBe(200)
    expect(upstream.calls[0]?.head()).toContain(long)
    const { status } = await sent('GET /via/vllm/v1/models', [...OWN, `X-Long: ${'x'.repeat(4_000_000)}`])
    expect([0, 400, 413, 431]).toContain(status)
    expect((await sent('GET /via/vllm/v1/models', OWN)).status).toBe(200)
    expect(upstream.calls).toHaveLength(2)
  })

  test('cannot change what a stored key was judged for', async () => {
    const others = ['X-HTTP-Method-Override: DELETE', 'X-Rewrite-URL: /admin', 'X-Original-URL: /admin']
    expect((await sent('POST /via/vllm/v1/chat/completions', [...STORED, ...others], '{}')).status).toBe(200)
    expect(upstream.calls[0]?.head()).not.toMatch(/override|rewrite|original/i)
  })
})

describe('a method that is none of an API', () => {
  test.each(['TRACE', 'PROPFIND', 'PURGE', 'MKCOL'])('%s gets 405 with what is carried', async (method) => {
    for (const how of [OWN, STORED, []]) {
      const { status, head } = await sent(`${method} /via/vllm/v1/chat/completions`, how)
      expect(status).toBe(405)
      expect(head).toMatch(/^allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS$/im)
    }
    expect(upstream.calls).toHaveLength(0)
  })

  // The runtime answers these itself, before the Worker is asked.
  test.each([
    ['CONNECT api.evil.test:443', 500],
    ['CONNECT /via/vllm/v1/chat/completions', 500],
    ['get /via/vllm/v1/models', 501],
    ['TRACK /via/vllm/v1/models', 501],
  ])('%s is no tunnel: the runtime refuses it', async (line, expected) => {
    expect((await sent(line, OWN)).status).toBe(expected)
    expect((await sent('GET /via/vllm/v1/models', OWN)).status).toBe(200)
    expect(upstream.calls).toHaveLength(1)
  })
})

describe('another account’s key', () => {
  test('reaches neither its credentials nor a provider', async () => {
    const team = 'X-Pilotlight-Credential: team'
    const path = '/vllm/v1/chat/completions'
    const own = await sent(`POST /via/~${keys.acmeVia}${path}`, [team], '{}')
    expect(own.status).toBe(200)
    expect(upstream.calls[0]?.head()).toContain('sk-of-acme-alone')
    const rival = await sent(`POST /via/~${keys.rivalVia}${path}`, [team], '{}')
    expect([rival.status, rival.text.includes('no credential of that name')]).toEqual([400, true])
    // The token says who calls, and the key beside it goes nowhere.
    const both = await sent(`POST /via/~${keys.rivalVia}${path}`, [`Authorization: Bearer ${keys.acme}`, team], '{}')
    expect(both.status).toBe(400)
    const hidden = await sent(`POST /via/~${keys.rivalVia}${path}`, [`Authorization: Bearer ${keys.acme}`], '{}')
    expect(hidden.status).toBe(200)
    expect(upstream.calls).toHaveLength(2)
    expect(upstream.calls[1]?.head()).toContain(STORED_KEY)
    expect(upstream.calls[1]?.bytes().toString()).not.toContain(keys.acme)
  })

  test('is refused where one letter of it names another account, another access or another seal', async () => {
    const { acmeVia, acme } = keys
    const forged = [
      acmeVia.replace('plk_acme', 'plk_rival'),
      acme.replace('plk_acme', 'plk_acme.via'),
      acmeVia.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
      `${acmeVia}0`,
      acmeVia.toUpperCase(),
      encodeURIComponent(`${acmeVia}\r\n`),
    ]
    for (const token of forged) {
      const { status, text } = await sent(
        `POST /via/~${token}/vllm/v1/chat/completions`,
        ['Authorization: Bearer sk-x'],
        '{}',
      )
      expect(status).toBe(401)
      expect(text).not.toContain(token.slice(10, 60))
    }
    expect(upstream.calls).toHaveLength(0)
  })
})

describe('a flood of bad keys', () => {
  const from = (address: string) => [`CF-Connecting-IP: ${address}`]
  const bad = (n: number, address: string) =>
    sent(
      'POST /via/vllm/v1/chat/completions',
      [`X-Pilotlight-Key: guess-${n}`, 'Authorization: Bearer sk-x', ...from(address)],
      '{}',
    )

  test('is limited by address, and reaches no provider, while good keys from there pass', async () => {
    const address = '203.0.113.77'
    const good = () =>
      sent('POST /via/vllm/v1/chat/completions', [`X-Pilotlight-Key: ${keys.acme}`, ...from(address)], '{}')
    const waves = await Promise.all(Array.from({ length: 300 }, (_, n) => (n % 50 === 49 ? good() : bad(n, address))))
    const statuses = Map.groupBy(waves, ({ status }) => status)
    expect(statuses.get(401)).toHaveLength(BAD_KEYS)
    expect(statuses.get(200)).toHaveLength(6)
    expect(statuses.get(429)).toHaveLength(300 - 6 - BAD_KEYS)
    const [limited] = statuses.get(429) ?? []
    expect(limited?.head).toMatch(/^retry-after: [1-9]\d?$/im)
    expect(limited?.text).toContain('"limited_by":"address"')
    expect(limited?.text).not.toContain('guess-')
    expect((await good()).status).toBe(200)
    expect((await bad(0, '203.0.113.78')).status).toBe(401)
    expect(upstream.calls).toHaveLength(7)
    for (const call of upstream.calls) expect(call.bytes().toString()).not.toMatch(/guess-|sk-x/)
  })

  test('in paths counts too, and a good token from there passes', async () => {
    const via = (token: string) => sent(`POST /via/~${token}/vllm/v1/chat/completions`, from('203.0.113.79'), '{}')
    const statuses = []
    for (let n = 0; n <= BAD_KEYS; n++) statuses.push((await via(`guess-${n}`)).status)
    expect(statuses.filter((status) => status === 401)).toHaveLength(BAD_KEYS)
    expect(statuses.at(-1)).toBe(429)
    expect((await via(keys.acmeVia)).status).toBe(200)
    expect(upstream.calls).toHaveLength(1)
  })

  test('with keys that were real once is limited by address and by account', async () => {
    const { key = '', id = '' } = await asAdmin('POST', '/accounts/rival/keys', {})
    const path = '/accounts/rival/keys/'
    await fetch(worker.base + path + id, { method: 'DELETE', headers: admin })
    const call = (n: number) =>
      sent('POST /via/vllm/v1/chat/completions', [`X-Pilotlight-Key: ${key}`, ...from(`198.51.100.${n}`)], '{}')
    const answers = []
    for (let n = 0; n <= BAD_KEYS; n++) answers.push(await call(n))
    expect(answers.at(-1)).toMatchObject({ status: 429, text: expect.stringContaining('"limited_by":"account"') })
    const good = await sent(
      'POST /via/vllm/v1/chat/completions',
      [`X-Pilotlight-Key: ${keys.rival}`, ...from('198.51.100.1')],
      '{}',
    )
    expect(good.status).toBe(200)
    expect(upstream.calls).toHaveLength(1)
  })
})

describe('a slow upload', () => {
  const MEGABYTE = 1024 * 1024
  const begun = (key: string, length: number): Caller =>
    caller(
      worker.base,
      [
        'POST /via/vllm/v1/chat/completions HTTP/1.1',
        'Host: pilotlight.test',
        `Content-Length: ${length}`,
        'Content-Type: application/json',
        `X-Pilotlight-Key: ${key}`,
        'Authorization: Bearer sk-own',
        '',
        '{',
      ].join('\r\n'),
    )

  test('with a bad key is answered at once, whatever it says is still to come', async () => {
    const client = begun('guess', 1_000_000_000)
    await expect.poll(() => client.bytes().toString(), { timeout: 30_000, interval: 5 }).toContain('HTTP/1.1 401')
    client.socket.destroy()
    expect(upstream.calls).toHaveLength(0)
  })

  test('by many keeps no other call from its provider, and ends with its callers', async () => {
    const plain = () =>
      sent(
        'POST /via/vllm/v1/chat/completions',
        [...OWN, 'Content-Type: application/json'],
        '{"model":"m","messages":[]}',
      )
    const slow = Array.from({ length: 40 }, () => begun(KEY, MEGABYTE))
    // Beyond 24 MB that are held, calls pass unread.
    await expect
      .poll(async () => (await plain()).head, { timeout: 30_000, interval: 20 })
      .toContain('too many bodies are held')
    const { status, text } = await plain()
    expect([status, text]).toEqual([200, '{"ok":true}'])
    for (const { socket } of slow) socket.resetAndDestroy()
    await expect.poll(async () => (await plain()).head, { timeout: 30_000, interval: 20 }).toContain('observed;')
    const whole = upstream.calls.filter((call) => call.body().toString() === '{"model":"m","messages":[]}')
    expect(whole.length).toBeGreaterThan(2)
  })
})

test('nothing of all this was printed', () => {
  for (const secret of [KEY, STORED_KEY, 'sk-own', 'sk-of-acme', 'evil', 'guess-', ...Object.values(keys)])
    expect(worker.said()).not.toContain(secret)
})
