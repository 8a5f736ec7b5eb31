import { expect, it } from 'vitest'
import { killSwitchBench } from '../../bench/scale/kill-switch.ts'

it('the kill switch lets nothing of ours out a second later, and every request of a caller', async () => {
  const { figures } = await killSwitchBench({ accounts: 24 })
  const of = (name: string): number => figures.find((one) => one.name === name)!.value
  // The traffic was there before, and is there again when the switch is off.
  expect(of('calls of ours a second before')).toBeGreaterThan(0)
  expect(of('first call of ours when off again')).toBeGreaterThanOrEqual(0)
  expect(of('calls of ours after one second')).toBe(0)
  expect(of("callers' own requests meanwhile")).toBeGreaterThan(0)
  expect(of('of these refused')).toBe(0)
  expect(of('accounts to be told')).toBe(25)
  expect(of('all told')).toBeGreaterThan(0)
}, 300_000)
