/** Writes archives by hand, wrong ones too: each string with its length and padding. */
export function str(text: string | Buffer): Buffer {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(bytes.length))
  return Buffer.concat([length, bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)])
}

export const narHead = str('nix-archive-1')

/** `(`, the parts as strings, `)`. */
export function rawNode(...parts: (string | Buffer)[]): Buffer {
  return Buffer.concat([str('('), ...parts.map(part => str(part)), str(')')])
}
