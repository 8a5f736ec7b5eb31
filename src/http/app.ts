import { Hono } from 'hono'
import type { Environment } from '../runtime/env.ts'

export const app = new Hono<{ Bindings: Environment }>()

app.get('/health', (c) => c.json({ ok: true }))
