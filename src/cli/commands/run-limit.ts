/** `fr limit`: changes a limit of a node that runs, and says what applies then. */
import { keyOption } from '../arguments/keys.js'
import { type Context, watchSignals } from '../render/context.js'
import { jsonText } from '../render/text.js'
import { formatRate } from '../render/units.js'
import type { LimitCommand } from './limit.js'
import { given } from './options.js'

export async function runLimit(command: LimitCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr limit: ${text}\n`))
  const { limit } = await import('../../api/limits.js')
  const key = await keyOption(command, context)
  const { via, transfer, upBytesPerSecond: up, downBytesPerSecond: down } = command
  const applied = await limit(via, {
    ...(up !== undefined && { upBytesPerSecond: up }),
    ...(down !== undefined && { downBytesPerSecond: down }),
    ...given({ transfer }),
    ...key,
    signal,
  })
  const rate = (limit: number | null): string => (limit === null ? 'no limit' : formatRate(limit))
  const what = transfer === undefined ? via : `${transfer} at ${via}`
  const { upBytesPerSecond: newUp, downBytesPerSecond: newDown } = applied
  const said = `${what}: up ${rate(newUp)}, down ${rate(newDown)}`
  context.stdout(`${command.json ? jsonText(applied) : said}\n`)
  return 0
}
