/** Setup of every file that shares a process with those before it: its modules are evaluated anew, and remember nothing. */
import { vi } from 'vitest'

vi.resetModules()
