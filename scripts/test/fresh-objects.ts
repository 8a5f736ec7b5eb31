/** Setup of every file that shares a runtime with earlier ones: removes the objects, so that none is left for the next file. */
import { reset } from 'cloudflare:test'
import { afterAll } from 'vitest'

afterAll(() => reset())
