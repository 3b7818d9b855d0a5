/** What a client that publishes asks of a node. */
import { base64urlOf, utf8 } from '../base/bytes.js'
import type { Frame } from '../control/messages/types.js'
import { nodePrimitives } from '../net/crypto.js'
import {
  type AnnouncementDraft,
  readAnnouncement,
  signAnnouncement,
} from '../protocol/announcement.js'
import { encodeName } from '../protocol/manifest.js'
import type { Signer } from '../protocol/primitives.js'
import type { AskOptions, Inquiry } from './client.js'

export type { AnnouncementDraft } from '../protocol/announcement.js'

/** What the node holds under the name, and knows to be published. */
export function askAboutName(
  inquiry: Inquiry,
  within: AskOptions,
  name: string,
): Promise<Extract<Frame, { type: 'publishable' }>> {
  const question = { type: 'publishing', ...encodeName(utf8(name)) } as const
  return inquiry.ask(question, 'publishable', within)
}

/** Signs what is said, and has the node spread it. Resolves to the id of the announcement. */
export async function askToAnnounce(
  inquiry: Inquiry,
  within: AskOptions,
  author: Signer,
  draft: AnnouncementDraft,
): Promise<string> {
  const record = signAnnouncement(author, draft)
  // What this side cannot read nobody can.
  const { id, name, kind } = readAnnouncement(nodePrimitives, record)
  const question = { type: 'announce', ...encodeName(utf8(name)), record: base64urlOf(record) }
  const withdraws = kind === 'unpublish'
  await inquiry.ask({ ...question, type: 'announce', withdraws }, 'announced', within)
  return id
}
