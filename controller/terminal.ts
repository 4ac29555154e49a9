/** Text for terminals: nothing a host says reaches one as a control sequence. */

export type Paint = (style: keyof typeof styles, text: string) => string

const styles = { good: 32, busy: 34, bad: 31, warn: 33, dim: 2, bold: 1 } as const

/** Colours when the stream is a terminal and NO_COLOR is not set. */
export function painter(colours: boolean): Paint {
  return (style, text) => (colours ? `\u001b[${styles[style]}m${text}\u001b[0m` : text)
}

export function wantsColour(stream: { isTTY?: boolean }): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
}

export type Cell = { text: string; style?: keyof typeof styles }

/** Columns as wide as their widest cell; the last one is not padded, and is cut at `width`. */
export function table(rows: Cell[][], paint: Paint, width = Number.POSITIVE_INFINITY): string[] {
  const clean = rows.map(row => row.map(cell => ({ ...cell, text: plain(cell.text) })))
  const columns = Math.max(0, ...clean.map(row => row.length))
  const widths = Array.from({ length: columns }, (_, index) =>
    Math.max(...clean.map(row => [...(row[index]?.text ?? '')].length)),
  )
  return clean.map(row => {
    let left = width
    const cells = row.map(({ text, style }, index) => {
      const padded = index === row.length - 1 ? text : text.padEnd(widths[index]! + 2)
      const cut = [...padded].slice(0, Math.max(0, left)).join('')
      left -= [...padded].length
      return style ? paint(style, cut) : cut
    })
    return cells.join('').trimEnd()
  })
}

/** Text without control and format characters. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, ' ')
}
