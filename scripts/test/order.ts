/** Order of test files. Those that mostly wait start first, beside those that compute; within a project the longest come first. */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Tests that start whole products come first, because they wait more than they compute. The files of a project stay together, so that
 * they share a runtime. Files that compute come last: they are short, so the workers end at about the same time.
 */
export const projects = ['e2e', 'live', 'recorded', 'workerd', 'lab', 'node']

/** Sorts groups by the list of names. The order within a group stays, and unknown names come first. */
export function inOrder<Item>(items: readonly Item[], nameOf: (item: Item) => string, names = projects): Item[] {
  return [...items].sort((a, b) => names.indexOf(nameOf(a)) - names.indexOf(nameOf(b)))
}

/** Vitest's own order within a project: failed files, then the longest ones of the last run, else the largest. */
export class Order extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return inOrder(await super.sort(files), ({ project }) => project.name)
  }
}
