/**
 * Makes a closure from a seed and writes it as a binary cache: the same bytes on every machine. Its
 * shape follows a closure of Debian packages: files of a few KiB in the median and 42 KiB on
 * average, some paths a hundred times as large as most, references of each layer to those below.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { constants, zstdCompressSync } from 'node:zlib'
import { encodeBase32 } from '../../agent/codec/base32.ts'
import { encodeClosure } from '../../agent/codec/closure.ts'
import type { PathInfo, StorePath } from '../../agent/codec/documents.ts'
import { formatNarinfo } from '../../agent/codec/narinfo.ts'
import { formatNixHash } from '../../agent/codec/nix-hash.ts'
import { fixedOutputPath, parseStorePath } from '../../agent/codec/store-path.ts'
import { narHead, str } from '../support/nar-text.ts'
import { seeded } from '../support/seeded.ts'
import { Content, type ContentKind } from './content.ts'

/** Another number makes another closure, so that a cached one is never taken for it. */
const GENERATOR_VERSION = 1
const LEVEL = 3
const KINDS: ContentKind[] = ['text', 'text', 'text', 'text', 'binary', 'binary', 'random']

export type Shape = { seed: number; paths: number; bytes: number; depth: number }

export type GeneratedCache = {
  directory: string
  system: StorePath
  /** Digest of the closure manifest, `closures/<digest>.json`. */
  closure: string
  paths: number
  files: number
  narBytes: number
  fileBytes: number
  depth: number
}

/** The cache for `shape` below `directory`, from an earlier run or made now. */
export function generatedCache(directory: string, shape: Shape): GeneratedCache {
  const name = ['closure', GENERATOR_VERSION, ...Object.values(shape)].join('-')
  const target = join(directory, name)
  const summary = join(target, 'summary.json')
  if (!existsSync(summary)) {
    const unfinished = `${target}.new`
    rmSync(unfinished, { recursive: true, force: true })
    const made = new Generator(unfinished, shape).generate()
    writeFileSync(join(unfinished, 'summary.json'), JSON.stringify({ ...made, directory: target }))
    renameSync(unfinished, target)
  }
  return JSON.parse(readFileSync(summary, 'utf8')) as GeneratedCache
}

class Generator {
  readonly #directory: string
  readonly #shape: Shape
  readonly #random: (below: number) => number
  readonly #content: Content
  readonly #infos: PathInfo[] = []
  readonly #levels: StorePath[][] = []
  #files = 0
  #fileBytes = 0

  constructor(directory: string, shape: Shape) {
    this.#directory = directory
    this.#shape = shape
    this.#random = seeded(shape.seed)
    this.#content = new Content(shape.seed)
    for (const name of ['nar', 'closures']) mkdirSync(join(directory, name), { recursive: true })
    writeFileSync(join(directory, 'nix-cache-info'), 'StoreDir: /nix/store\nWantMassQuery: 1\n')
  }

  generate(): GeneratedCache {
    const { paths, depth } = this.#shape
    const sizes = this.#sizes()
    for (let index = 0; index < paths - 1; index++) {
      const level = Math.floor((index * (depth - 1)) / (paths - 1))
      this.#levels[level] ??= []
      const references = this.#references(level)
      this.#levels[level].push(this.#add(`package-${index}`, references, sizes[index]!))
    }
    const used = new Set(this.#infos.flatMap(info => info.references))
    const unused = this.#infos.map(info => info.path).filter(path => !used.has(path))
    const system = this.#add('system', unused, 4096)
    const bytes = encodeClosure({ system, paths: this.#infos })
    const closure = createHash('sha256').update(bytes).digest('hex')
    writeFileSync(join(this.#directory, `closures/${closure}.json`), bytes)
    const narBytes = this.#infos.reduce((sum, info) => sum + info.narSize, 0)
    const counts = { paths, files: this.#files, narBytes, fileBytes: this.#fileBytes, depth }
    return { directory: this.#directory, system, closure, ...counts }
  }

  /** Few large and many small ones: exponents are spread evenly over more than three magnitudes. */
  #sizes(): number[] {
    const weights = Array.from({ length: this.#shape.paths - 1 }, () => {
      return Math.exp(this.#random(1000) / 180)
    })
    const sum = weights.reduce((a, b) => a + b, 0)
    return weights.map(weight => Math.ceil((weight / sum) * this.#shape.bytes))
  }

  /** One of the layer right below, which makes the graph deep, and some of any below. */
  #references(level: number): StorePath[] {
    const below = this.#levels.slice(0, level)
    const last = below.at(-1)
    if (last === undefined) return []
    const all = below.flat()
    const some = Array.from({ length: this.#random(8) }, () => all[this.#random(all.length)]!)
    return [...new Set([last[this.#random(last.length)]!, ...some])].sort()
  }

  #add(name: string, references: StorePath[], bytes: number): StorePath {
    const nar = Buffer.concat([narHead, this.#tree(references, bytes)])
    const sha256 = createHash('sha256').update(nar).digest()
    const narHash = formatNixHash(sha256)
    const path = fixedOutputPath({ name, sha256, references, self: false })
    const info: PathInfo = { path, narHash, narSize: nar.length, references }
    info.ca = `fixed:r:${narHash}`
    this.#infos.push(info)
    this.#write(info, nar)
    return path
  }

  /** One directory of every sixteen files; each file is a few KiB, and one in sixty is large. */
  #tree(references: StorePath[], bytes: number): Buffer {
    const directories: Buffer[] = []
    for (let left = bytes, folder = 0; left > 0; folder++) {
      const files: Buffer[] = []
      for (let index = 0; index < 16 && left > 0; index++) {
        const size = Math.min(left, this.#fileSize())
        files.push(entry(`file-${String(index).padStart(2, '0')}`, this.#file(size)))
        left -= size
      }
      directories.push(entry(`folder-${String(folder).padStart(5, '0')}`, directory(files)))
    }
    const list = entry('references', file(Buffer.from(references.join('\n')), false))
    return directory([...directories, list])
  }

  #fileSize(): number {
    const large = this.#random(60) === 0
    const magnitude = large ? 12 + this.#random(300) / 100 : 6 + this.#random(550) / 100
    return Math.ceil(Math.exp(magnitude))
  }

  #file(size: number): Buffer {
    this.#files++
    const bytes = Buffer.alloc(size)
    const kind = KINDS[this.#random(KINDS.length)]!
    this.#content.fill(bytes, kind)
    return file(bytes, this.#random(8) === 0)
  }

  #write(info: PathInfo, nar: Buffer): void {
    const params = {
      [constants.ZSTD_c_compressionLevel]: LEVEL,
      [constants.ZSTD_c_checksumFlag]: 1,
    }
    const packed = zstdCompressSync(nar, { params })
    const sha256 = createHash('sha256').update(packed).digest()
    const url = `nar/${encodeBase32(sha256)}.nar.zst`
    this.#fileBytes += packed.length
    writeFileSync(join(this.#directory, url), packed)
    const fileHash = formatNixHash(sha256)
    const narinfo = { ...info, url, compression: 'zstd', fileHash, fileSize: packed.length }
    const text = formatNarinfo({ ...narinfo, signatures: [] })
    writeFileSync(join(this.#directory, `${parseStorePath(info.path).hash}.narinfo`), text)
  }
}

function node(...parts: Buffer[]): Buffer {
  return Buffer.concat([str('('), ...parts, str(')')])
}
function file(contents: Buffer, executable: boolean): Buffer {
  const mark = executable ? [str('executable'), str('')] : []
  return node(str('type'), str('regular'), ...mark, str('contents'), str(contents))
}
function directory(entries: Buffer[]): Buffer {
  return node(str('type'), str('directory'), ...entries)
}
function entry(name: string, child: Buffer): Buffer {
  return Buffer.concat([str('entry'), node(str('name'), str(name), str('node'), child)])
}
