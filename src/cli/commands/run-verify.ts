/** `fr verify`: has nodes read their files; a line for each file as it is done. */
import { keyOption } from '../arguments/keys.js'
import { argumentBytes } from '../arguments/sources.js'
import { type Context, watchSignals } from '../render/context.js'
import { verifyLine, verifyProgressLine } from '../render/held.js'
import { jsonText } from '../render/text.js'
import { eachNode } from './each-node.js'
import { given } from './options.js'
import type { VerifyCommand } from './verify.js'

/** Back to the start of the line, and clear it. */
const clear = '\r\u001b[K'

export async function runVerify(command: VerifyCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr verify: ${text}\n`))
  const { verify } = await import('../../api/client.js')
  const key = await keyOption(command.keyFile, context)
  const { name, json } = command
  const names = name === undefined ? undefined : [argumentBytes(name) ?? name]
  const isSeveral = command.addresses.length > 1
  const progress = (text: string): void => {
    if (!json && context.terminal() !== null) context.stderr(`${clear}${text}`)
  }
  return eachNode(command, context, async (node, tally) => {
    try {
      for await (const found of verify(node, { ...key, ...given({ names }), signal })) {
        if (found.event === 'verified') tally[found.status]++
        if (json) context.stdout(`${jsonText(found)}\n`)
        else if (found.event === 'verifying')
          progress(verifyProgressLine(found, (context.terminal()?.columns ?? 80) - 1))
        else {
          progress('')
          context.stdout(`${verifyLine(found, context.paintStdout, isSeveral)}\n`)
        }
      }
    } finally {
      progress('')
    }
  })
}
