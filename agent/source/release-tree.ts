/**
 * Where documents lie in every kind of source, and how large they may be. See
 * docs/reference/formats.md.
 */
import { RejectedError } from '../codec/errors.ts'
import { isChannelName } from '../codec/names.ts'

/** Of release.json and N.json; their codecs refuse more as well. */
export const DOCUMENT_BYTES_MAX = 1024 * 1024
/** 32 armored signatures need 12 KiB; foreign ones may be longer. */
export const SIGNATURES_BYTES_MAX = 256 * 1024
/** Read in one poll; the next poll goes on (H25). */
export const ROOTS_MAX = 64

export function rootPath(version: number): string {
  return `root/${version}.json`
}

export function releasePath(channel: string): string {
  return `${channel}/release.json`
}

/** The signatures lie beside what they sign. */
export function signaturesPath(document: string): string {
  return `${document}.sig`
}

/** A channel becomes a directory name and part of an address, so it is held to plain words. */
export function assertChannel(channel: string): void {
  if (isChannelName(channel)) return
  throw new RejectedError('config', `Cannot read channel "${channel}": it is not a plain word`)
}
