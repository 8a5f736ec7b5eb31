/**
 * Setup of every file that shares a runtime with the files before it: modules are evaluated anew, so that nothing is
 * remembered outside of objects, and no object is left to the next file.
 */
import { reset } from 'cloudflare:test'
import { afterAll, vi } from 'vitest'

vi.resetModules()
afterAll(() => reset())
