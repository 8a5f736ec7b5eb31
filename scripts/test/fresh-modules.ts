/** Setup of every file that shares a process with earlier ones: evaluates its modules anew, so that no module state remains. */
import { vi } from 'vitest'

vi.resetModules()
