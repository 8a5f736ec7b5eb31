import { expect, it } from 'vitest'
import { ADMIN, bindings, call, get, newAccount, pick } from '../support.ts'

const admin = { key: ADMIN }
const listed = async (id: string) =>
  (pick(await get('/accounts?limit=200', admin), 'data') as Record<string, unknown>[]).find((one) => one['id'] === id)

it('the list of accounts follows each change, and wakes no account', async () => {
  const { id } = await newAccount()
  await call('PATCH', `/accounts/${id}`, { budget_usd_per_day: 7 }, admin)
  expect(await listed(id)).toMatchObject({ budget_usd_per_day: 7 })
  // Changed behind the Directory's back: a list that asked the account would show it.
  await bindings.REGISTRY.getByName(id).configure({ budgetNanosPerDay: 9_000_000_000 })
  expect(await listed(id)).toMatchObject({ budget_usd_per_day: 7 })
  await call('PATCH', `/accounts/${id}`, { lint: 'off' }, admin)
  expect(await listed(id)).toMatchObject({ budget_usd_per_day: 9, lint: 'off' })
})

it('the list of accounts asks an account whose change did not end', async () => {
  const { id } = await newAccount()
  const directory = bindings.DIRECTORY.getByName('directory')
  const revision = await directory.beginChange(id)
  await bindings.REGISTRY.getByName(id).configure({ budgetNanosPerDay: 1_000_000_000 })
  expect(await listed(id)).toMatchObject({ budget_usd_per_day: 1 })
  const settings = await bindings.REGISTRY.getByName(id).configure({ budgetNanosPerDay: 2_000_000_000 })
  expect(await listed(id)).toMatchObject({ budget_usd_per_day: 2 })
  // A later change has begun: the end of this one is no copy.
  await directory.beginChange(id)
  await directory.endChange(id, revision, JSON.stringify({ ...settings, budgetNanosPerDay: 5_000_000_000 }))
  expect(await listed(id)).toMatchObject({ budget_usd_per_day: 2 })
})
