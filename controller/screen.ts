/** Draws lines again and again: in place on a terminal, and as plain new lines anywhere else. */
export class Screen {
  readonly #stream: NodeJS.WriteStream
  #drawn = 0
  /** What the last drawing said, where each line stays. */
  #told = new Set<string>()

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  draw(lines: string[]): void {
    if (this.#stream.isTTY) this.#redraw(lines)
    else this.#append(lines)
  }

  /** Leaves what was drawn last where it stands. */
  end(): void {
    if (this.#stream.isTTY && this.#drawn > 0) this.#stream.write('\u001b[?25h')
  }

  #redraw(lines: string[]): void {
    const fits = lines.slice(0, Math.max(1, (this.#stream.rows ?? 24) - 1))
    const up = this.#drawn > 0 ? `\u001b[${this.#drawn}A` : '\u001b[?25l'
    // Long lines are cut, not wrapped: the way up counts lines. Each one clears what is right of
    // it, and the last what is below.
    const text = fits.map(line => `${line}\u001b[K\n`).join('')
    this.#stream.write(`${up}\r\u001b[?7l${text}\u001b[J\u001b[?7h`)
    this.#drawn = fits.length
  }

  /** Ages change all the time: only a line that says something else is worth a new one. */
  #append(lines: string[]): void {
    const news = lines.filter(line => line !== '' && !this.#told.has(withoutAges(line)))
    this.#told = new Set(lines.map(withoutAges))
    if (news.length > 0) this.#stream.write(`${news.join('\n')}\n`)
  }
}

function withoutAges(line: string): string {
  return line.replace(/\d+(\.\d+)? (s|min|h|d)\b/g, '').replace(/ +/g, ' ')
}
