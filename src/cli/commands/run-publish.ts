/** `fr publish` and `fr unpublish`: a line, or an object, of what was announced. */
import { keyOption } from '../arguments/keys.js'
import { type Context, watchSignals } from '../render/context.js'
import { asUsage } from '../render/failures.js'
import { publishedLines, unpublishedLine } from '../render/published.js'
import { jsonText } from '../render/text.js'
import { given } from './options.js'
import type { PublishCommand, UnpublishCommand } from './publish.js'

export async function runPublish(command: PublishCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr publish: ${text}\n`))
  const { publish } = await import('../../api/publish.js')
  const key = await keyOption(command, context)
  const { path, where, via, allow, as, ttlSeconds, seal, json } = command
  const source = path === '-' ? process.stdin : path
  const options = { ...key, where, via, ...given({ allow, as, ttlSeconds, seal }), signal }
  const result = await publish(source, options).catch((error: unknown) => {
    throw asUsage(error)
  })
  context.stdout(json ? `${jsonText(result)}\n` : `${publishedLines(result).join('\n')}\n`)
  return 0
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
