/** The agent's own version, as reports name it; a test compares it with package.json. */
export function agentVersion(): string {
  return '0.1.0'
}
