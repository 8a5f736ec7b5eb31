/** The order of test files: what mostly waits begins first, beside what computes; within a project the longest come first. */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Whole products start first: they wait more than they compute. The files of a project stay together, so that a runtime is
 * handed from one file to the next. Files that compute come last: they are short, and even out the end.
 */
export const projects = ['e2e', 'live', 'workerd', 'lab', 'node']

/** Puts groups in the order of their names in the list; the order within a group stays. Unknown names come first. */
export function inOrder<Item>(items: readonly Item[], nameOf: (item: Item) => string, names = projects): Item[] {
  return [...items].sort((a, b) => names.indexOf(nameOf(a)) - names.indexOf(nameOf(b)))
}

/** Vitest's own order within a project: what failed last time, then the longest by the last run, else the largest. */
export class Order extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return inOrder(await super.sort(files), ({ project }) => project.name)
  }
}
