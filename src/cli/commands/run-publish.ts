/** `fr publish` and `fr unpublish`: a line, or an object, of what was announced. */
import { basename } from 'node:path'
import type { Progress } from '../../api/types.js'
import { keyOption } from '../arguments/keys.js'
import { type Context, watchSignals } from '../render/context.js'
import { asUsage } from '../render/failures.js'
import { publishedLines, unpublishedLine } from '../render/published.js'
import { LiveView, PlainView, type PushView, QuietView } from '../render/push-views.js'
import { jsonText } from '../render/text.js'
import { given } from './options.js'
import type { PublishCommand, UnpublishCommand } from './publish.js'

export async function runPublish(command: PublishCommand, context: Context): Promise<number> {
  const { path, where, via, allow, as, ttlSeconds, seal, json, quiet } = command
  const view = viewOf(context, as ?? path, quiet)
  const signal = watchSignals((text) => view.say(`fr publish: ${text}`))
  const { publish } = await import('../../api/publish.js')
  const key = await keyOption(command, context)
  const source = path === '-' ? process.stdin : path
  const options = { ...key, where, via, ...given({ allow, as, ttlSeconds, seal }), signal }
  const progress = (now: Progress): void => view.progress(now)
  const result = await publish(source, { ...options, progress })
    .catch((error: unknown) => {
      throw asUsage(error)
    })
    .finally(() => view.end(null))
  context.stdout(json ? `${jsonText(result)}\n` : `${publishedLines(result).join('\n')}\n`)
  return 0
}

/** How far it is sent, on stderr. */
function viewOf(context: Context, name: string, isQuiet: boolean): PushView {
  if (isQuiet) return new QuietView(context)
  const View = context.terminal() === null ? PlainView : LiveView
  return new View(context, basename(name))
}

export async function runUnpublish(command: UnpublishCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr unpublish: ${text}\n`))
  const { unpublish } = await import('../../api/publish.js')
  const key = await keyOption(command, context)
  const { name, via, json } = command
  const result = await unpublish(name, { ...key, via, signal }).catch((error: unknown) => {
    throw asUsage(error)
  })
  context.stdout(`${json ? jsonText(result) : unpublishedLine(result)}\n`)
  return 0
}
