/**
 * The shapes of what travels between people, sources and hosts. Each has a codec of its own file.
 */

/** `/nix/store/<32 base32 characters>-<name>`, validated by `parseStorePath`. */
export type StorePath = string

/** One path of a closure as a manifest, a narinfo and the registry know it. */
export type PathInfo = {
  path: StorePath
  /** `sha256:` and 52 Nix base32 characters, of the NAR. */
  narHash: string
  /** Bytes of the NAR. */
  narSize: number
  /** Full store paths, sorted; may hold the path itself. */
  references: StorePath[]
  /** Content address, such as `fixed:r:sha256:…`, when the path has one. */
  ca?: string
}

/** The closure manifest, `closures/<sha256>.json` in a cache: all that a fetch needs to know. */
export type Closure = {
  system: StorePath
  /** Every path of the closure, sorted by path. */
  paths: PathInfo[]
}

export type RoleName = 'root' | 'release' | 'operator'
/** `keys` are OpenSSH public key lines without comment: `ssh-ed25519 AAAA…`. */
export type Role = { threshold: number; keys: string[] }

/** `root.json`: who may say what, for one fleet. */
export type Root = {
  fleet: string
  version: number
  epoch: number
  /** RFC 3339, UTC, such as `2027-01-31T00:00:00Z`. */
  expires: string
  roles: Record<RoleName, Role>
}

/**
 * What one host shall run. `closure` is the SHA-256 (hex) of the manifest, `closureSize` its bytes.
 */
export type Target = { system: StorePath; closure: string; closureSize: number }

/** `release.json`: one signed, numbered document per channel. */
export type Release = {
  fleet: string
  channel: string
  epoch: number
  version: number
  issued: string
  expires: string
  /** URLs of binary caches, best first: http(s):// or file://. */
  caches: string[]
  hosts: Map<string, Target>
  /**
   * Names of features without which the release must not be installed; unknown ones are refused.
   */
  requires: string[]
}

/** A document's exact bytes and the armored SSHSIG signatures that lie beside it (`NAME.sig`). */
export type SignedDocument = { bytes: Buffer; signatures: Buffer }

/** Where releases are read. Every kind holds one tree: see docs/reference/formats.md. */
export type SourceConfig =
  | { git: string; branch: string }
  | { http: string }
  | { directory: string }

/** The few bytes a host needs at its first boot. */
export type Seed = {
  fleet: string
  host: string
  channel: string
  /**
   * SHA-256 (hex) of the exact bytes of the one root that this host starts from, and its version.
   */
  root: { version: number; sha256: string }
  sources: SourceConfig[]
  /** Where to enrol and report; a host without one still converges. */
  controller?: { url: string; token?: string }
}
