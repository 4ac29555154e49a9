/**
 * How far something long has come, for people: a bar on a terminal, a few plain lines elsewhere.
 */
export type Progress = {
  /** `done` of the total, which may be given anew. */
  update: (done: number, total?: number) => void
  /** Ends the line; safe to call twice. */
  end: () => void
}

/** Where it is written; stderr fits. */
export type ProgressOutput = { isTTY?: boolean; columns?: number; write: (text: string) => unknown }

const BAR_WIDTH = 30
/** A terminal is not redrawn more often than a person can see. */
const REDRAW_MS = 80

/** Starts a bar from 0 to `total`, in whatever unit `format` prints. */
export function progress(
  label: string,
  total: number,
  {
    output = process.stderr,
    format = String,
  }: { output?: ProgressOutput; format?: (value: number) => string } = {},
): Progress {
  return output.isTTY === true
    ? drawBar(label, { total, output, format })
    : printLines(label, { total, output, format })
}

type Options = { total: number; output: ProgressOutput; format: (value: number) => string }

function drawBar(label: string, { total, output, format }: Options): Progress {
  let [done, max, drawnAt, open] = [0, total, Number.NEGATIVE_INFINITY, true]
  const draw = () => {
    const share = max > 0 ? Math.min(1, done / max) : 1
    const filled = Math.round(share * BAR_WIDTH)
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled)
    const text = `${label} ${bar} ${format(done)} of ${format(max)}`
    output.write(`\r\x1b[K${text.slice(0, (output.columns ?? 80) - 1)}`)
    drawnAt = performance.now()
  }
  return {
    update: (now, newTotal) => {
      done = now
      max = newTotal ?? max
      if (open && (performance.now() - drawnAt > REDRAW_MS || done >= max)) draw()
    },
    end: () => {
      if (!open) return
      open = false
      draw()
      output.write('\n')
    },
  }
}

/** One line for each tenth: a log stays readable. */
function printLines(label: string, { total, output, format }: Options): Progress {
  let [max, printed] = [total, 0]
  return {
    update: (now, newTotal) => {
      max = newTotal ?? max
      const tenth = max > 0 ? Math.floor((now / max) * 10) : 0
      if (tenth <= printed) return
      printed = tenth
      output.write(`${label}: ${format(now)} of ${format(max)}\n`)
    },
    end: () => {},
  }
}

/** Bytes as people say them: 1.5 MiB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let [value, unit] = [bytes, 0]
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}
