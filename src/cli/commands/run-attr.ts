/** `fr attr`: changes attributes of a node that runs, and says which it has then. */
import { keyOption } from '../arguments/keys.js'
import { type Context, watchSignals } from '../render/context.js'
import { asUsage } from '../render/failures.js'
import { jsonText, printable } from '../render/text.js'
import type { AttrCommand } from './attr.js'

export async function runAttr(command: AttrCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr attr: ${text}\n`))
  const { changeAttributes } = await import('../../api/change-attributes.js')
  const key = await keyOption(command, context)
  const { via, set, unset, json } = command
  const applied = await changeAttributes(via, { set, unset, ...key, signal }).catch(
    (error: unknown) => {
      throw asUsage(error)
    },
  )
  const shown = Object.entries(applied.attributes).map(([name, value]) =>
    value === '' ? name : `${name}=${value}`,
  )
  const said = printable(`${applied.node}: ${shown.join(' ') || 'no attributes'}`)
  context.stdout(`${json ? jsonText(applied) : said}\n`)
  return 0
}
