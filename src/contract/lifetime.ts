import * as z from 'zod'

/** How long a session lives, as its caller tells it. */
export const lifetime = z.enum(['one_shot', 'interactive'], { error: 'must be "one_shot" or "interactive"' }).meta({
  description:
    '`one_shot`: the session works through without a pause, and nobody returns to it (CI, a script). `interactive`: a person may return after a silence. Absent: not known.',
})

export type Lifetime = z.output<typeof lifetime>

/** Header of calls through the gateway that says the same. */
export const LIFETIME_HEADER = 'x-pilotlight-lifetime'
