/** Files that nodes hold with their true digests, and what a get of them brings. */
import { mkdirSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { blockAlgorithmFor, type DigestAlgorithm } from '../../src/base/digests.js'
import { blockBytesFor, limits } from '../../src/base/limits.js'
import { hiddenDir } from '../../src/base/names.js'
import { taskBytesFor } from '../../src/control/holdings/hashing.js'
import { createPortableEngine } from '../../src/engine/portable/engine.js'
import { freshSigner, randomId } from '../../src/net/crypto.js'
import { signDigests } from '../../src/protocol/digest-record.js'
import type { Signer } from '../../src/protocol/primitives.js'
import { encodeGo, ticketFirstByte } from '../../src/protocol/ticket.js'
import { fileDigestOf } from '../../src/session/file-digest.js'
import { Catalogue } from '../../src/store/catalogue/catalogue.js'
import type { DigestRun, HeldStream } from '../../src/store/catalogue/record.js'
import { recordOfFile } from './held-support.js'
import { passAll, proxy } from './proxy.js'
import type { World } from './push-support.js'

/** What an author says of a content, the same at every holder. */
export interface Authored {
  readonly content: Buffer
  readonly contentId: string
  readonly author: Signer
  readonly algorithm: DigestAlgorithm
  readonly blockBytes: number
  readonly fileDigest: string
  readonly digests: Uint8Array
  readonly runs: readonly DigestRun[]
}

/** `path` holds the content. */
export async function authored(
  path: string,
  content: Buffer,
  algorithm: DigestAlgorithm = 'xxh64',
): Promise<Authored> {
  const engine = await createPortableEngine(() => {})
  try {
    const { file } = await engine.storage.openSource(path)
    const size = content.length
    const blockBytes = blockBytesFor(size)
    const kind = blockAlgorithmFor(algorithm, size, blockBytes)
    const parts: Uint8Array[] = []
    const step = Math.max(blockBytes, limits.hashInlineBytes)
    for (let offset = 0; offset < size; offset += step) {
      const range = { offset, length: Math.min(step, size - offset) }
      parts.push(engine.hashNow(file, range, blockBytes, kind))
    }
    const digests = new Uint8Array(Buffer.concat(parts))
    const fileDigest = fileDigestOf(engine, algorithm, size, blockBytes, digests)
    const author = freshSigner()
    const signed = { contentId: randomId(), algorithm, blockBytes }
    const digestBytes = size === 0 ? 0 : digests.length / Math.ceil(size / blockBytes)
    const runs: DigestRun[] = []
    const taskBytes = taskBytesFor(blockBytes)
    for (let offset = 0; offset < size; offset += taskBytes) {
      const length = Math.min(taskBytes, size - offset)
      const first = (offset / blockBytes) * digestBytes
      const past = first + Math.ceil(length / blockBytes) * digestBytes
      const part = digests.subarray(first, past)
      const payload = signDigests(author, signed, { offset, length }, part)
      runs.push({ offset, length, payload })
    }
    return { content, author, ...signed, fileDigest, digests, runs }
  } finally {
    await engine.shutdown()
  }
}

/** Before the node of this directory starts: it has the file, and believes its record. */
export async function plantHeld(
  dataDir: string,
  name: string,
  { content, contentId, author, algorithm, blockBytes, fileDigest, runs }: Authored,
): Promise<HeldStream> {
  const path = join(dataDir, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content, { mode: 0o640 })
  const key = Buffer.from(author.publicKey).toString('hex')
  const described = { contentId, author: key, algorithm, blockBytes, fileDigest, mode: 0o640 }
  const record = { ...recordOfFile(dataDir, name), ...described }
  const hidden = join(dataDir, hiddenDir)
  mkdirSync(hidden, { recursive: true, mode: 0o700 })
  const catalogue = await Catalogue.open(hidden)
  await catalogue.put(record, runs)
  await catalogue.close()
  return record
}

export interface BackDoor {
  readonly address: string
  /** A connection has brought as much as it may. */
  readonly isHolding: () => boolean
  open(): void
}

/** A door to a node whose data connections bring `bytes` each, and the rest once it is open. */
export async function holdingBack(
  world: Pick<World, 'defer'>,
  address: string,
  bytes: number,
): Promise<BackDoor> {
  const held = new Set<Socket>()
  let isOpen = false
  const back = (to: Socket, from: Socket): void => {
    let seen = 0
    to.on('data', (chunk: Buffer) => {
      seen += chunk.length
      const hasRoom = from.write(chunk)
      if (!isOpen && seen >= bytes) held.add(to.pause())
      else if (!hasRoom) to.pause()
    })
    to.on('end', () => from.end())
    from.on('drain', () => {
      if (!held.has(to)) to.resume()
    })
  }
  const passed = await proxy(address, passAll, 0, back)
  world.defer(passed.close)
  return {
    address: passed.address,
    isHolding: () => held.size > 0,
    open: () => {
      isOpen = true
      for (const socket of held) socket.resume()
      held.clear()
    },
  }
}

export interface FlowDoor {
  readonly address: string
  /** Data connections so far; of the further flows those that have brought records. */
  readonly seen: { first: number; further: number; joined: number }
}

/**
 * A door to a node: of what that sends on a further flow, whatever follows its challenge arrives in
 * one piece with the first records, as on a way that holds packets up.
 */
export async function flowDoor(world: Pick<World, 'defer'>, address: string): Promise<FlowDoor> {
  const seen = { first: 0, further: 0, joined: 0 }
  const further = new WeakSet<Socket>()
  const join = (from: Socket, to: Socket): void => {
    from.once('data', ([first, , beside]: Buffer) => {
      if (first !== ticketFirstByte) return
      if (beside === 1) further.add(from)
      seen[beside === 1 ? 'further' : 'first']++
    })
    passAll(from, to)
  }
  const back = (to: Socket, from: Socket): void => {
    let waiting = Buffer.alloc(0)
    const collect = (chunk: Buffer): void => {
      waiting = Buffer.concat([waiting, chunk])
      if (waiting.length <= encodeGo().length + 16) return
      to.off('data', collect)
      seen.joined++
      from.write(waiting)
      passAll(to, from)
    }
    to.once('data', (answer: Buffer) => {
      from.write(answer)
      if (further.has(from)) to.on('data', collect)
      else passAll(to, from)
    })
  }
  const passed = await proxy(address, join, 0, back)
  world.defer(passed.close)
  return { address: passed.address, seen }
}
