/** What a client takes of a node that lists what it holds. */
import { expect, it } from 'vitest'
import type { Inquiry } from '../../../src/agent/client.js'
import { listHeld } from '../../../src/agent/held-client.js'
import { limits } from '../../../src/base/limits.js'
import type { HeldEntry } from '../../../src/control/messages/types.js'

const entry: HeldEntry = {
  name: 'a',
  nameIsBase64: false,
  kind: 'file',
  state: 'held',
  contentId: 'ab'.repeat(16),
  size: 0,
  heldBytes: 0,
  entries: null,
  fileDigest: null,
  publishedAtMs: null,
  verifiedAtMs: null,
}

/** A node that never comes to an end, with this many entries a page. */
function endless(entries: number): Inquiry {
  const page = Array.from({ length: entries }, () => entry)
  const ask = async () => ({ type: 'listed', nowMs: 0, entries: page, next: 'h' })
  return { ask } as unknown as Inquiry
}

it.each([
  ['files', limits.listPageFiles, limits.listFiles],
  ['pages', 0, 0],
])('a list without an end in %s is refused', async (_, entries, most) => {
  const within = { timeoutMs: 1_000, signal: undefined }
  let files = 0
  const take = async (): Promise<void> => {
    for await (const found of listHeld(endless(entries), within, null)) if (found) files++
  }
  await expect(take()).rejects.toMatchObject({ code: 'ERR_FR_LIMIT' })
  expect(files).toBe(most)
})
