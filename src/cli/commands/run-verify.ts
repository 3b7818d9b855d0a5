/** `fr verify`: has nodes read their files; a line for each file as it is done. */
import type { VerifyProgress, VerifyReport } from '../../api/types.js'
import { FrError } from '../../base/errors.js'
import { heldName } from '../arguments/held-names.js'
import { keyOption } from '../arguments/keys.js'
import { addressesNamed } from '../arguments/nodes-file.js'
import { type Context, watchSignals } from '../render/context.js'
import { verifyLines, verifyProgressLine } from '../render/held.js'
import { jsonText } from '../render/text.js'
import { eachNode } from './each-node.js'
import type { VerifyCommand } from './verify.js'

/** Back to the start of the line, and clear it. */
const clear = '\r\u001b[K'

export async function runVerify(command: VerifyCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr verify: ${text}\n`))
  const { verify } = await import('../../api/client.js')
  const key = await keyOption(command, context)
  const { json, via } = command
  if (via !== undefined) {
    const { runAudit } = await import('./run-asking-master.js')
    return runAudit({ via, json, asked: { ...key, signal } }, context)
  }
  const wanted = command.name === undefined ? undefined : heldName(command.name)
  const addresses = await addressesNamed(command, signal)
  const isSeveral = addresses.length > 1
  const progress = (text: string): void => {
    if (!json && context.terminal() !== null) context.stderr(`${clear}${text}`)
  }
  /** Of what has the name; else of what matches it. */
  async function* reports(node: string): AsyncGenerator<VerifyProgress | VerifyReport> {
    const asked = { ...key, signal }
    if (wanted === undefined) return yield* verify(node, asked)
    const { name, isPattern } = wanted
    for await (const found of verify(node, { ...asked, names: [name] })) {
      const isNone = found.event === 'verified' && found.code === 'ERR_FR_NOT_HELD'
      if (isNone && isPattern) return yield* matching(node, name)
      yield found
    }
  }
  async function* matching(
    node: string,
    glob: string | Uint8Array,
  ): AsyncGenerator<VerifyProgress | VerifyReport> {
    let isAny = false
    for await (const found of verify(node, { ...key, signal, glob })) {
      isAny = true
      yield found
    }
    if (!isAny) throw new FrError('ERR_FR_NOT_HELD', undefined, { node })
  }
  return eachNode({ ...command, addresses }, context, async (node, tally) => {
    try {
      for await (const found of reports(node)) {
        if (found.event === 'verified') tally[found.status]++
        if (json) context.stdout(`${jsonText(found)}\n`)
        else if (found.event === 'verifying')
          progress(verifyProgressLine(found, (context.terminal()?.columns ?? 80) - 1))
        else {
          progress('')
          const lines = verifyLines(found, context.paintStdout, isSeveral)
          context.stdout(`${lines.join('\n')}\n`)
        }
      }
    } finally {
      progress('')
    }
  })
}
