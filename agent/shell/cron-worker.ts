/**
 * Says when a cron expression comes next. In a process of its own, because the calendar that
 * node-cron loads keeps some 15 MiB for as long as the process lives.
 */
import { createTask, validate } from 'node-cron'
import { answerOnce } from './one-shot.ts'

/** Undefined when the expression is none; else milliseconds since 1970, soonest first. */
export type CronAnswer = { runs: number[] | undefined }
export type CronRequest = { cron: string; count: number }

answerOnce(({ cron, count }: CronRequest): CronAnswer => {
  if (!validate(cron)) return { runs: undefined }
  const task = createTask(cron, () => {})
  return { runs: task.getNextRuns(count).map(run => run.getTime()) }
})
