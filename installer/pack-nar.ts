import { createHash } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { constants, createZstdCompress, type ZstdCompress } from 'node:zlib'
import { encodeBase32 } from '../agent/codec/base32.ts'
import type { PathInfo } from '../agent/codec/documents.ts'
import { HostError, isErrno } from '../agent/codec/errors.ts'
import { narOf } from '../agent/codec/nar-write.ts'
import { formatNixHash } from '../agent/codec/nix-hash.ts'
import type { CacheDirectory } from './cache-directory.ts'

/** Zstd's own default. Its worker threads (`ZSTD_c_nbWorkers`) break Node's streams. */
const ZSTD_LEVEL = 3
/** With Node's default of 16 KiB, most of the time goes into crossing threads. */
const OUTPUT_CHUNK_BYTES = 1024 * 1024

/** Where a NAR lies in the cache, as its narinfo says it. */
export type PackedNar = { url: string; compression: 'zstd'; fileHash: string; fileSize: number }

/**
 * Dumps the tree at `tree` into the cache as `nar/<hash of the file>.nar.zst`. The tree must be
 * what was registered as `info`: HostError `damaged` where it is not, and nothing is published.
 */
export async function packNar(
  tree: string,
  info: PathInfo,
  cache: CacheDirectory,
): Promise<PackedNar> {
  const temporary = cache.scratchFile()
  const file = await open(temporary, 'w', 0o644)
  try {
    const { sha256, size } = await compressInto(file, tree, info)
    await file.sync()
    const url = `nar/${encodeBase32(sha256)}.nar.zst`
    await rename(temporary, join(cache.path, url))
    return { url, compression: 'zstd', fileHash: formatNixHash(sha256), fileSize: size }
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  } finally {
    await file.close()
  }
}

async function compressInto(file: FileHandle, tree: string, info: PathInfo) {
  const encoder = createZstdCompress({
    chunkSize: OUTPUT_CHUNK_BYTES,
    // With the size in its header, a frame can be decoded in one go into a buffer of that size.
    pledgedSrcSize: info.narSize,
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL },
  })
  const feeding = feed(encoder, tree, info).then(
    () => void encoder.end(),
    // Whatever stops the reading reaches the writing through the stream.
    error => void encoder.destroy(error),
  )
  const [stored] = await Promise.all([store(encoder, file), feeding])
  return stored
}

/** The chunks of a NAR share one buffer: each is compressed before the next one is read. */
async function feed(encoder: ZstdCompress, tree: string, info: PathInfo): Promise<void> {
  const hash = createHash('sha256')
  let size = 0
  for (const chunk of dump(tree, info)) {
    size += chunk.length
    if (size > info.narSize) throw damaged(info, 'it is larger than registered')
    hash.update(chunk)
    await new Promise<void>((resolve, reject) => {
      encoder.write(chunk, error => (error ? reject(error) : resolve()))
    })
  }
  if (formatNixHash(hash.digest()) !== info.narHash) {
    throw damaged(info, 'its content does not have the registered hash')
  }
}

function* dump(tree: string, info: PathInfo): Generator<Buffer> {
  try {
    yield* narOf(tree)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) throw damaged(info, 'files of it are missing', error)
    throw error
  }
}

async function store(encoder: ZstdCompress, file: FileHandle) {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of encoder as AsyncIterable<Buffer>) {
    hash.update(chunk)
    size += chunk.length
    await file.writeFile(chunk)
  }
  return { sha256: hash.digest(), size }
}

function damaged(info: PathInfo, why: string, cause?: unknown): HostError {
  return new HostError('damaged', `Cannot publish "${info.path}": ${why}`, { cause })
}
