/** The mock provider, a process of its own: it reads a request and answers at once, or over many seconds. It tells its port to its parent. */
import { createServer } from 'node:http'
import { events, EVENTS, PLAIN_ANSWER, SLOW_EVENTS, SLOW_GAP_MS } from './bodies.ts'

const quick = events(EVENTS)
const slow = events(SLOW_EVENTS)

const server = createServer((request, response) => {
  const pieces: Buffer[] = []
  request.on('data', (piece: Buffer) => pieces.push(piece))
  request.on('end', () => {
    // Behind all messages: gateways may change the order of the members, so both ends are looked at.
    const body = Buffer.concat(pieces)
    const ends = `${body.subarray(0, 200).toString()}${body.subarray(-200).toString()}`
    if (!/"stream":\s*true/.test(ends)) {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': PLAIN_ANSWER.length })
      response.end(PLAIN_ANSWER)
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    const isSlow = /"user":\s*"slow"/.test(ends)
    const left = [...(isSlow ? slow : quick)]
    const next = (): void => {
      const event = left.shift()
      if (event === undefined) response.end()
      else {
        response.write(event)
        if (isSlow) setTimeout(next, SLOW_GAP_MS)
        else setImmediate(next)
      }
    }
    next()
  })
})
server.keepAliveTimeout = 120_000
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null) process.send?.(address.port)
})
process.on('disconnect', () => process.exit(0))
