import { expect, it } from 'vitest'
import { dashboard } from '../../src/dashboard/serve.ts'

const sha256 = async (text: string): Promise<string> =>
  btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))))

it('is served by the Worker with a policy that lets exactly its own scripts and style run', async () => {
  const answer = dashboard()
  const html = await answer.text()
  const policy = answer.headers.get('content-security-policy') ?? ''
  const inline = Array.from(html.matchAll(/<(script|style)\b[^>]*>([\s\S]*?)<\/\1>/g), (match) => match[2] ?? '')
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(html.startsWith('<!doctype html>')).toBe(true)
  expect(inline.length).toBeGreaterThanOrEqual(3)
  expect(html).not.toContain('<!--')
  for (const text of inline) expect(policy).toContain(`'sha256-${await sha256(text)}'`)
  expect(policy.match(/'sha256-/g)).toHaveLength(inline.length)
})

it('can be served again: each answer has a body of its own', async () => {
  const [first, second] = [await dashboard().text(), await dashboard().text()]
  expect(first).toBe(second)
})
