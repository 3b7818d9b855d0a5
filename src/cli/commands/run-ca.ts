/** `fr ca`: prints the files that were written. */
import type { Context } from '../render/context.js'
import { jsonText } from '../render/text.js'
import type { CaCommand } from './ca.js'

export async function runCa(command: CaCommand, context: Context): Promise<number> {
  const { action, directory, name = '', days, renew: isRenewal, json } = command
  const ca = await import('../../api/ca.js')
  const valid = days === undefined ? {} : { days }
  const files =
    action === 'init'
      ? await ca.initCa(directory, days)
      : action === 'issue'
        ? await ca.issue(directory, name, { ...valid, isRenewal })
        : await ca.revoke(directory, name)
  if (json) context.stdout(`${jsonText({ event: 'ca', action, files })}\n`)
  else if (files.length === 0) context.stdout(`${name} is revoked already\n`)
  else for (const file of files) context.stdout(`${file}\n`)
  return 0
}
