/** Both ends of a connection, byte by byte: what the gateway is measured with. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'

/** A call as a provider gets it. */
export interface Arrived {
  socket: Socket
  /** Everything that came so far, head and body. */
  bytes: () => Buffer
  /** First line and headers, as they came; empty until the blank line is here. */
  head: () => string
  /** Behind the blank line. */
  body: () => Buffer
  /** Resolves when as much of the body is here as its `content-length` says. */
  whole: () => Promise<void>
  /** Bytes that came so far. */
  received: () => number
  /** When the connection ended, on the clock of `performance`; null: it has not. */
  endedAt: () => number | null
}

export interface Provider {
  url: string
  calls: Arrived[]
  close: () => Promise<void>
}

/** A provider that does what `answer` does with each call, once its head is here. */
export async function provider(answer: (call: Arrived) => void): Promise<Provider> {
  const calls: Arrived[] = []
  const open = new Set<Socket>()
  const server: Server = createServer((socket) => {
    open.add(socket)
    const pieces: Buffer[] = []
    let endedAt: number | null = null
    let received = 0
    const bytes = (): Buffer => Buffer.concat(pieces)
    const blank = (): number => bytes().indexOf('\r\n\r\n')
    const call: Arrived = {
      socket,
      bytes,
      head: () => (blank() < 0 ? '' : bytes().subarray(0, blank()).toString('latin1')),
      received: () => received,
      whole: async () => {
        const length = Number(/^content-length: *(\d+)/im.exec(call.head())?.[1] ?? '0')
        const all = call.received() - call.body().byteLength + length
        while (call.received() < all) await once(socket, 'data')
      },
      body: () => (blank() < 0 ? Buffer.alloc(0) : bytes().subarray(blank() + 4)),
      endedAt: () => endedAt,
    }
    let began = false
    socket.on('data', (piece) => {
      pieces.push(piece)
      received += piece.byteLength
      if (began || blank() < 0) return
      began = true
      calls.push(call)
      answer(call)
    })
    const ended = (): void => {
      endedAt ??= performance.now()
    }
    socket.on('end', ended)
    socket.on('close', () => {
      ended()
      open.delete(socket)
    })
    socket.on('error', ended)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    calls,
    close: async () => {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A whole answer that closes its connection. */
export function answerOf(status: string, headers: readonly string[], body: string | Buffer): Buffer {
  const bytes = Buffer.from(body)
  const head = [`HTTP/1.1 ${status}`, ...headers, `content-length: ${bytes.byteLength}`, 'connection: close', '', '']
  return Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), bytes])
}

export interface Caller {
  socket: Socket
  bytes: () => Buffer
  ended: Promise<void>
}

/** Sends bytes as they are and keeps what comes back. */
export function caller(base: string, bytes: string | Buffer): Caller {
  const { hostname, port } = new URL(base)
  const socket = connect(Number(port), hostname)
  const pieces: Buffer[] = []
  socket.on('data', (piece) => pieces.push(piece))
  socket.on('error', () => {}) // a reset is part of some tests
  socket.write(bytes)
  return {
    socket,
    bytes: () => Buffer.concat(pieces),
    ended: new Promise((resolve) => socket.once('close', () => resolve())),
  }
}
