/** docs/protocol.md is what a second implementation is written from: its vectors must be ours. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { originNumber } from '../../../src/control/messages/types.js'
import { blake3File, createBlake3 } from '../../../src/engine/hashing/blake3.js'
import { nodePrimitives } from '../../../src/net/crypto.js'
import { parseKey } from '../../../src/net/keys.js'
import { signDigests } from '../../../src/protocol/digest-record.js'
import { encodeBody, encodeFrame } from '../../../src/protocol/frames.js'
import {
  encodeHello,
  encodePskIdentity,
  keyIdOf,
  linkStatement,
  nodeIdOf,
  ownDigests,
  pskOf,
} from '../../../src/protocol/greeting.js'
import { signPage } from '../../../src/protocol/manifest.js'
import type { Signer } from '../../../src/protocol/primitives.js'
import {
  confirmation,
  edgeOf,
  encodeChallenge,
  encodeTicket,
  feedKeys,
  proveGo,
} from '../../../src/protocol/ticket.js'
import { sampleFrames } from './frame-support.js'
import { seededSigner } from './support.js'

const page = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

it('the vectors of the page are those of the code', () => {
  const key = parseKey('0123456789abcdef0123456789abcdef').bytes
  const transfer = '55'.repeat(16)
  const edge = edgeOf(nodePrimitives, new Uint8Array(32).fill(0x88), [originNumber, 2])
  const ticketPlace = { transfer, from: originNumber, to: 2 }
  const nonces = {
    dialler: new Uint8Array(32).fill(0x11),
    acceptor: new Uint8Array(32).fill(0x33),
  }
  const ticket = { ...ticketPlace, edgeId: edge.id, nonce: nonces.dialler }
  const keys = feedKeys(nodePrimitives, edge, ticketPlace, nonces)
  const author = seededSigner(0x99)
  const contentId = 'aa'.repeat(16)
  const content = { contentId, algorithm: 'xxh64', blockBytes: 65_536 } as const
  const place = { offset: 65_536, length: 65_536 }
  const growing = { contentId, algorithm: 'blake3', blockBytes: 'sections' } as const
  const cut = { offset: 2 ** 32, length: 131_071 }
  const span = { base: 131_072, span: 131_072 }
  const file = {
    name: 'a',
    nameIsBase64: false,
    ...span,
    size: 131_072,
    dataBytes: 65_536,
    mode: 0o644,
  }
  const signed = { contentId, author: hexOf(author.publicKey) }
  const entry = { stream: 0, ...signed, ...file, mtimeSeconds: -1, mtimeNanos: 5 }
  const offerer = seededSigner(0xbb)
  const [dialler, acceptor] = [seededSigner(0x22), seededSigner(0x44)]
  const idOf = ({ publicKey }: Signer): string => nodeIdOf(nodePrimitives, publicKey)
  const ids = { dialler: idOf(dialler), acceptor: idOf(acceptor) }
  const channel = new Uint8Array(32).fill(0x77)
  const first = { ...ids, acceptor: null }
  const signature = dialler.sign(linkStatement('dialler', channel, first))
  const hello = encodeHello({
    channel: 'control',
    publicKey: dialler.publicKey,
    incarnation: 1,
    transfer: null,
    from: null,
    to: null,
    digests: ownDigests,
    signature,
  })
  const vectors = [
    hexOf(pskOf(nodePrimitives, key, false)),
    encodePskIdentity({
      version: 1,
      keyId: keyIdOf(nodePrimitives, key, false),
      otherKeyIds: [],
    }),
    hexOf(dialler.publicKey),
    ids.dialler,
    hexOf(signature),
    hexOf(acceptor.publicKey),
    ids.acceptor,
    hexOf(acceptor.sign(linkStatement('acceptor', channel, ids))),
    hexOf(hello.subarray(0, 5)),
    Buffer.from(hello.subarray(5)).toString(),
    edge.id,
    hexOf(edge.secret),
    hexOf(encodeTicket(nodePrimitives, key, ticket)),
    hexOf(encodeChallenge(nodePrimitives, keys, nonces.acceptor)),
    hexOf(confirmation(nodePrimitives, keys)),
    hexOf(proveGo(nodePrimitives, keys, { ranges: [[65_536, 7]], receivedBytes: 9 })),
    `0x${keys.recordSeed.toString(16).padStart(16, '0')}`,
    hexOf(encodeFrame(encodeBody({ type: 'beat' }))),
    ...sampleFrames.flatMap((frame) =>
      frame.type === 'progress' || frame.type === 'backlog' || frame.type === 'reports'
        ? [hexOf(encodeFrame(encodeBody(frame)))]
        : [],
    ),
    hexOf(author.publicKey),
    hexOf(offerer.publicKey),
    signPage(offerer, 0, [entry]).signature,
    hexOf(signDigests(author, content, place, new Uint8Array(8).fill(0x66))),
    signPage(offerer, 0, [{ ...entry, span: 2 ** 42, dataBytes: 131_072, base: 0, growing: true }])
      .signature,
    hexOf(signDigests(author, growing, cut, new Uint8Array(32).fill(0x66))),
    hexOf(signDigests(author, growing, cut, new Uint8Array(32).fill(0x66), true)),
  ]
  expect(vectors.filter((vector) => !page.includes(`${vector}\n`))).toEqual([])
})

it('the page has the BLAKE3 values of blocks', async () => {
  const { block } = await createBlake3()
  const contents = [Buffer.from(Uint8Array.from({ length: 102_400 }, (_, i) => i % 251))]
  contents.push(Buffer.alloc(131_073))
  for (const content of contents) {
    const values: Uint8Array[] = []
    for (let offset = 0; offset < content.length; offset += 65_536) {
      block.start(offset)
      block.update(content.subarray(offset, offset + 65_536))
      values.push(block.finish())
    }
    const vectors = [...values.map(hexOf), `blake3:${hexOf(blake3File(Buffer.concat(values)))}`]
    expect(page).toContain(vectors.map((vector) => `${' '.repeat(22)}${vector}\n`).join(''))
  }
})

it('the page lists every frame under its number', () => {
  const rows = sampleFrames.map((frame) => `| ${encodeBody(frame).type} | \`${frame.type}\` |`)
  expect(rows.filter((row) => !page.includes(row))).toEqual([])
})
