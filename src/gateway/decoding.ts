import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'

/** Takes the bytes of an answer as they came, and hands on what they say. */
export interface Decoding {
  add: (bytes: Uint8Array) => void
  /** Resolves when everything was handed on, also where the bytes ended too early. */
  end: () => Promise<void>
}

const DECODERS: Readonly<Record<string, () => ReturnType<typeof createGunzip>>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
}

/** Decodes beside the way: what goes to the caller stays as it is. Null: an encoding that is not known here. */
export function decoding(encoding: string | null, piece: (bytes: Uint8Array) => void): Decoding | null {
  const name = (encoding ?? 'identity').trim().toLowerCase()
  if (name === 'identity' || name === '') return { add: piece, end: () => Promise.resolve() }
  const decoder = DECODERS[name]?.()
  if (decoder === undefined) return null
  const ended = new Promise<void>((resolve) => {
    decoder.on('end', resolve)
    decoder.on('error', () => resolve())
  })
  decoder.on('data', (bytes: Uint8Array) => piece(bytes))
  return {
    add: (bytes) => void decoder.write(bytes),
    end: () => {
      decoder.end()
      return ended
    },
  }
}
