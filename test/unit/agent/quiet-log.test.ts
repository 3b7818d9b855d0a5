/** Lines that strangers can provoke are rationed. */
import { expect, it } from 'vitest'
import { QuietLog } from '../../../src/agent/quiet-log.js'
import { limits } from '../../../src/base/limits.js'
import type { LogEntry } from '../../../src/base/log.js'

it('says one line a minute for each, a bounded number in all, and how many it left out', () => {
  const lines: LogEntry[] = []
  let nowMs = 0
  const log = new QuietLog(
    (line) => lines.push(line),
    () => nowMs,
  )
  const say = (who: string): void => log.say(who, { level: 'warn', event: 'e', fields: { who } })
  for (let i = 0; i < 5; i++) say('a')
  say('b')
  expect(lines.map((line) => line.fields)).toEqual([{ who: 'a' }, { who: 'b', leftOut: 4 }])
  nowMs = 60_000
  say('a')
  expect(lines.at(-1)?.fields).toEqual({ who: 'a' })
  nowMs = 200_000
  lines.length = 0
  for (let i = 0; i < 1000; i++) say(`host${i}`)
  expect(lines).toHaveLength(limits.strangersLogged)
  nowMs = 260_000
  say('later')
  expect(lines.at(-1)?.fields).toEqual({ who: 'later', leftOut: 1000 - limits.strangersLogged })
})
