/** What the runtime says where an object lacks the method, with and without "the method". Nothing else tells it from other errors. */
const LACKS = /does not implement (?:the method )?"([^"]+)"/

/**
 * Calls a method that objects of the version before do not have, under its name. Until an object has restarted after a deployment it
 * runs the former code; then `instead` is the answer. Other errors are thrown.
 */
export async function orOlder<Answer, Instead>(
  method: string,
  call: Promise<Answer>,
  instead: Instead,
): Promise<Answer | Instead> {
  try {
    return await call
  } catch (thrown) {
    if (thrown instanceof TypeError && LACKS.exec(thrown.message)?.[1] === method) return instead
    throw thrown
  }
}
