/**
 * In a root that is a plain directory, `/nix/store/` in words and values means the one in there.
 */
export function rootedText(prefix: string, text: string): string {
  if (prefix === '/') return text
  return text.replaceAll('/nix/store/', `${prefix.replace(/\/$/, '')}/nix/store/`)
}
