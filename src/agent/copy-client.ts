/** Questions about copies: have a node make one, hear how it goes. */
import type { CopyWish } from '../control/messages/copying.js'
import { encodeName as nameText } from '../protocol/manifest.js'
import type { AskOptions, Inquiry } from './client.js'

export { nameText }

/** Resolves once the node has begun. */
export async function askToCopy(
  inquiry: Inquiry,
  within: AskOptions,
  wish: CopyWish,
): Promise<void> {
  await inquiry.ask({ type: 'copy', ...wish }, 'copying', within)
}

/** Calls `told` with each event as JSON; resolves to the result as JSON. */
export async function followCopy(
  inquiry: Inquiry,
  within: AskOptions,
  transfer: string,
  told: (json: string) => void,
): Promise<string> {
  const { json } = await inquiry.ask(
    { type: 'follow', transfer },
    'reported',
    within,
    'report',
    (word) => told(word.json),
  )
  return json
}
