/** Setup of every file that shares a runtime with those before it: no object is left to the next one. */
import { reset } from 'cloudflare:test'
import { afterAll } from 'vitest'

afterAll(() => reset())
