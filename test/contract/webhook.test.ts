import { expect, it } from 'vitest'
import { webhookProblem } from '../../src/contract/webhook.ts'

it.each([
  'http://hooks.example.com',
  'ftp://hooks.example.com',
  'javascript:alert(1)',
  'nonsense',
  'https://user:pass@hooks.example.com',
  'https://hooks.example.com/#part',
  'https://localhost/hook',
  'https://LOCALHOST.',
  'https://hooks',
  'https://hooks.local',
  'https://vault.internal',
  'https://localhost../hook',
  'https://192.88.99.1/hook',
  'https://203.0.113.9/hook',
  'https://198.51.100.7/hook',
  'https://[3fff:fff::1]/hook',
  'https://gpu.corp/hook',
  'https://127.0.0.1',
  'https://127.1',
  'https://2130706433',
  'https://0x7f000001',
  'https://0177.0.0.1',
  'https://10.1.2.3:8443',
  'https://192.168.1.1',
  'https://169.254.169.254/latest/meta-data',
  'https://[::1]',
  'https://[::ffff:127.0.0.1]',
  'https://[fe80::1]',
  'https://[fd12:3456::1]',
  'https://[2002:7f00:1::]',
])('no message is posted to %s', (url) => {
  expect(webhookProblem(url, false)).toMatch(/^must /)
})

it.each(['https://hooks.example.com/a/b?token=c', 'https://hooks.example.com:8443', 'https://[2606:4700::1111]/hook'])(
  'messages may be posted to %s',
  (url) => {
    expect(webhookProblem(url, false)).toBeNull()
  },
)

it('in development a receiver may be near, but is a web server all the same', () => {
  expect(webhookProblem('http://127.0.0.1:9300/hook', true)).toBeNull()
  expect(webhookProblem('file:///etc/passwd', true)).toMatch(/^must /)
})
