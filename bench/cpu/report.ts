import type { Figure } from '../figure.ts'
import { say } from '../figure.ts'
import { hostileBodies } from './bodies.ts'
import { bodyRoutes, hostileTo } from './every-route.ts'
import { measured, measuredAt } from './measure.ts'

const AIM = '≤ 500'
const UNIT = 'ms of CPU'

/** Computes what each route computes of hostile bodies, before anything is stored or sent. */
export async function cpuBench(): Promise<{ figures: Figure[]; notes: string[] }> {
  const figures: Figure[] = []
  for (const body of hostileBodies()) {
    const { cpuMs, end } = measured(body)
    say(`cpu: ${body.name}: ${Math.round(cpuMs)} ms, ${end}`)
    figures.push({ name: body.name, value: Math.round(cpuMs), unit: UNIT, aim: AIM, how: end })
  }
  for (const route of bodyRoutes()) {
    let [worst, count, how] = [0, 0, 'nothing']
    for (const { shape, text } of hostileTo(route)) {
      const { cpuMs, end } = measuredAt(route, text)
      count += 1
      if (cpuMs > worst) [worst, how] = [cpuMs, `${shape}: ${end}`]
    }
    say(`cpu: ${route.name}: ${Math.round(worst)} ms, ${how}`)
    const name = `${route.name}, the worst of ${count}`
    figures.push({ name, value: Math.round(worst), unit: UNIT, aim: AIM, how })
  }
  const notes = [
    'process.cpuUsage, of all threads, of one run for each body, from its text to what would be stored, with compilation and its own garbage. A refusal is shown with its field.',
    'Every route that takes a body gets each hostile value as the body and as each member. The bodies in front of these are made for the routes that compute most.',
  ]
  return { figures, notes }
}
