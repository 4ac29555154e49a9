import { type Command, commandHelp } from '../agent/cli/command.ts'
import { commands as agentCommands } from '../agent/command-table.ts'
import { commands as operatorCommands } from '../controller/command-table.ts'

/** Every command with its options, as `--help` prints them. */
export function commandsPage(): string {
  return `# Commands

What \`--help\` says, of every command; made from the code by \`npm run docs\`.

Every command takes \`-o json\`: then stdout holds one JSON value and nothing else. Data goes to
stdout, progress and errors to stderr. Exit codes: 0 yes, 1 no (failed, rolled back), 2 could not
find out or not possible as asked, 3 held, 124 timed out. With 2 nothing was changed, and the
sentence on stderr ends with a code of [errors.md](errors.md) and what to type next.

## holdfast

${sections('holdfast', operatorCommands)}
## holdfast-agent

The \`layout\` commands are what the programs of a system run; people rarely type them.

${sections('holdfast-agent', agentCommands)}`
}

function sections(program: string, commands: Command[]): string {
  return commands
    .map(command => {
      const title = `### ${program} ${command.words.join(' ')}`
      return `${title}\n\n\`\`\`\n${commandHelp(program, command)}\`\`\`\n`
    })
    .join('\n')
}
