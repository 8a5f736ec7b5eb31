import { defineConfig } from 'vitest/config'

/** The lab's own tests by themselves: `vitest run --root . -c test/lab/vitest.config.ts`. */
export default defineConfig({
  test: {
    name: 'lab',
    environment: 'node',
    include: ['test/lab/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
