/** `node.open`: contents of a node for whoever has it in their process. */
import { type ContentsOf, type OpenedContent, openAt } from '../agent/opened-content.js'
import { openTreeAt } from '../agent/opened-tree.js'
import { FrError } from '../base/errors.js'
import { checkHeldName, shownName } from './held-name.js'
import type { OpenContent, OpenTree } from './open-types.js'

const stalledMs = 60_000

/** Rejects as `node.open`. */
export async function openIn(
  contents: ContentsOf | null,
  name: string | Uint8Array,
): Promise<OpenContent> {
  const bytes = checkHeldName(name, 'name')
  if (contents === null) throw new FrError('ERR_FR_CLOSED', 'the node is closed')
  return contentOf(await openAt(contents, bytes))
}

/** Rejects as `node.openTree`. */
export async function openTreeIn(
  contents: ContentsOf | null,
  name: string | Uint8Array,
): Promise<OpenTree> {
  const bytes = checkHeldName(name, 'name')
  if (contents === null) throw new FrError('ERR_FR_CLOSED', 'the node is closed')
  const opened = await openTreeAt(contents, bytes)
  return {
    digest: opened.digest,
    wholeAtMs: opened.wholeAtMs,
    only: opened.only ?? null,
    entries: (after) => opened.entries(after),
    find: (of) => opened.find(of),
    close: () => opened.close(),
    [Symbol.asyncDispose]: () => opened.close(),
  }
}

function contentOf(opened: OpenedContent): OpenContent {
  const { name } = shownName(opened.name)
  return {
    name,
    get state() {
      return opened.state
    },
    get size() {
      return opened.size
    },
    digest: opened.digest,
    contentId: opened.contentId,
    modifiedMs: opened.modifiedMs,
    only: opened.only ?? null,
    available: (offset) => opened.available(offset),
    waitFor: (offset, signal) => opened.waitFor(offset, signal),
    read: (offset, length) => opened.read(offset, length),
    sendTo: (socket, range, options = {}) =>
      opened.sendTo(socket, range, { stalledMs, ...options }),
    get knownSha256() {
      return opened.knownSha256
    },
    sha256: () => opened.sha256(),
    close: () => opened.close(),
    [Symbol.asyncDispose]: async () => opened.close(),
  }
}
