/** Longest text of a value in a difference. */
const LONGEST = 120

/**
 * Where a value of today differs from one of then, a line for each place: a message with both values whole may be larger than what the test
 * runner can carry. `mayBeNew` decides on members that the value of then does not have.
 */
export function differences(
  then: unknown,
  now: unknown,
  mayBeNew: (member: string, value: unknown, place: string) => boolean,
  place = '',
): string[] {
  if (Object.is(then, now)) return []
  if (typeof then !== 'object' || typeof now !== 'object' || then === null || now === null)
    return [`${place}: ${short(then)} then, ${short(now)} now`]
  if (Array.isArray(then) !== Array.isArray(now)) return [`${place}: ${short(then)} then, ${short(now)} now`]
  const [before, today] = [then as Record<string, unknown>, now as Record<string, unknown>]
  const names = Array.isArray(then) && Array.isArray(now) ? longer(then, now) : { ...before, ...today }
  return Object.keys(names).flatMap((name) => {
    const at = place === '' ? name : `${place} › ${name}`
    if (name in before && name in today) return differences(before[name], today[name], mayBeNew, at)
    if (name in before) return [`${at}: ${short(before[name])} then, missing now`]
    return !Array.isArray(now) && mayBeNew(name, today[name], at)
      ? []
      : [`${at}: missing then, ${short(today[name])} now`]
  })
}

function longer(one: unknown[], other: unknown[]): unknown[] {
  return one.length > other.length ? one : other
}

/** Whether a value says nothing: null, an empty list, or an object of such members. */
export function isEmpty(value: unknown): boolean {
  if (value === null) return true
  return typeof value === 'object' && Object.values(value).every((member) => !Array.isArray(value) && isEmpty(member))
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}
