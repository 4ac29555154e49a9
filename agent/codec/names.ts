/** Names that stand in documents, file names, URLs and unit names: one grammar each, for all. */

/**
 * Fleets and channels: letters, digits, dot, dash and underscore, not first a dot or dash, at most
 * 64 characters. A channel is a directory of the source tree, so it cannot climb out of it, and it
 * cannot be `root`, which lies beside it.
 */
export function isFleetName(text: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/.test(text)
}

export function isChannelName(text: string): boolean {
  return isFleetName(text) && text !== 'root'
}

/** A host name as RFC 1123 has it, in lower case: labels of 1 to 63, at most 253 characters. */
export function isHostName(text: string): boolean {
  return (
    text.length <= 253 && /^(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*$/.test(text)
  )
}
