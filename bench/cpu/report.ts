import type { Figure } from '../figure.ts'
import { say } from '../figure.ts'
import { hostileBodies } from './bodies.ts'
import { measured } from './measure.ts'

/** Computes what `POST /warm` computes for each hostile body, before anything is stored or sent. */
export async function cpuBench(): Promise<{ figures: Figure[]; notes: string[] }> {
  const figures: Figure[] = []
  for (const body of hostileBodies()) {
    const { cpuMs, end } = measured(body)
    say(`cpu: ${body.name}: ${Math.round(cpuMs)} ms, ${end}`)
    figures.push({ name: body.name, value: Math.round(cpuMs), unit: 'ms of CPU', aim: '≤ 500', how: end })
  }
  const notes = [
    'process.cpuUsage of one run of parseBody, prepareWarm and registrationOf for each body, garbage collection and compilation included. A refusal is shown with its field.',
  ]
  return { figures, notes }
}
