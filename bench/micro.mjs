/**
 * Small operations that run often: the frame codec, signed digests, range sets, the ledger, the
 * dealer, the coordinator's machine, block digests of both engines. `benchmark` repeats each case
 * until its figure is steady.
 */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { requireRepository, Workspace } from './workspace.mjs'

const mebibyte = 2 ** 20

/** Resolves to operations per second and their relative margin of error in percent. */
/** `seconds` 0: as few runs as there can be. */
function measure(Benchmark, fn, seconds) {
  return new Promise((resolve, reject) => {
    new Benchmark({
      fn,
      maxTime: seconds,
      minTime: seconds === 0 ? 0.001 : 0,
      minSamples: seconds === 0 ? 1 : 5,
      onComplete: ({ target }) => resolve({ perSecond: target.hz, margin: target.stats.rme }),
      onError: ({ target }) => reject(target.error),
    }).run({ async: true })
  })
}

function frameCases({ encodeBody, encodeFrame, FrameReader }) {
  const frame = {
    type: 'progress',
    atMs: 12345,
    landedBytes: 123456789,
    verifiedBytes: 123400000,
    repairedBytes: 0,
    sentBytes: 864197523,
    holeBytes: 0,
    receivedBytes: 123456789,
    duplicateBytes: 0,
    received: [0, 3, 7].map((member) => ({ member, bytes: 41152263 })),
    pulled: [],
    mates: Array.from({ length: 8 }, (_, member) => ({
      member,
      queuedBytes: member * 65536,
      unackedBytes: member * 1000,
    })),
  }
  const roundTrip = () => {
    let got = 0
    new FrameReader().push(encodeFrame(encodeBody(frame)), () => got++)
    if (got !== 1) throw new Error('the frame did not come through')
  }
  return [{ name: 'progress frame of 8 mates, encode, decode', fn: roundTrip }]
}

/** `bytes` is the part of the file that one record covers. */
function signatureCases({ freshSigner, nodePrimitives }, { readDigests, signDigests }) {
  const author = freshSigner()
  const bytes = 8 * mebibyte
  const content = { contentId: '0'.repeat(32), algorithm: 'xxh64', blockBytes: 65536 }
  const place = { offset: 0, length: bytes }
  const digests = randomBytes(8 * (bytes / 65536))
  const payload = signDigests(author, content, place, digests)
  const read = () => readDigests(nodePrimitives, author.publicKey, content, place, payload)
  return [
    {
      name: 'digests of 8 MiB signed',
      fn: () => signDigests(author, content, place, digests),
      bytes,
    },
    { name: 'digests of 8 MiB verified', fn: read, bytes },
  ]
}

function rangeCases({ RangeSet }) {
  const count = 1024
  const order = Array.from({ length: count }, (_, at) => (at * 389) % count)
  return [
    {
      name: `range set, ${count} ranges added in scattered order, then one removed from each`,
      fn() {
        const set = new RangeSet()
        for (const at of order) set.add(at * 65536, 65536)
        if (set.toArray().length !== 1) throw new Error('ranges did not melt')
        for (const at of order) set.remove(at * 65536, 1)
        if (set.toArray().length !== count) throw new Error('ranges were not cut')
      },
    },
  ]
}

function ledgerCases({ StreamLedger }) {
  const [blocks, blockBytes] = [1024, 65536]
  const digests = randomBytes(blocks * 8)
  return [
    {
      name: `ledger, ${blocks} blocks landed, announced and computed one by one`,
      fn() {
        const ledger = new StreamLedger(blocks * blockBytes, blockBytes, 8)
        for (let block = 0; block < blocks; block++) {
          const [at, digest] = [block * blockBytes, digests.subarray(block * 8, block * 8 + 8)]
          ledger.land(at, blockBytes)
          ledger.announce(at, blockBytes, digest)
          ledger.compute(at, blockBytes, digest)
        }
        if (!ledger.isVerified) throw new Error('the ledger is not verified')
      },
    },
  ]
}

const file = { bytes: 2 ** 30, blockBytes: 65536, digestBytes: 8 }

function dealerFor(nodes, { dealerOf }) {
  const speeds = { origin: {}, nodes: () => nodes.map(() => ({})) }
  return dealerOf('adaptive', 'group', file.bytes, file.blockBytes, speeds)
}

/** Deals a whole file: relays that forward 1 MiB in 10 ms, with realistic reports and ticks. */
function dealerCases(strategies) {
  const nodes = Array.from({ length: 8 }, (_, node) => node)
  return [
    {
      name: '1 GiB dealt to 8 relays',
      fn() {
        const dealer = dealerFor(nodes, strategies)
        dealer.handle({ type: 'started', nodes, nowMs: 0 })
        for (let nowMs = 10; dealer.openBytes > 0; nowMs += 10) {
          const receivedBytes = (nowMs / 10) * 2 ** 20
          const counts = { landedBytes: receivedBytes, receivedBytes, backlogBytes: 0, behind: [] }
          for (const node of nodes)
            dealer.handle({ type: 'reported', node, atMs: nowMs, ...counts, nowMs })
          dealer.handle({ type: 'ticked', nowMs })
        }
      },
    },
  ]
}

/** Handles the same fact in a small and a large push; both should take about as long. */
function coordinatorCases({ OriginMachine }, { Extent }, { limits }, strategies) {
  return [10, 1000].map((count) => {
    const nodes = Array.from({ length: count }, (_, node) => ({ address: `n${node}:1` }))
    const { connectMs, silenceMs, progressMs } = limits
    const extent = new Extent(file.bytes, file.blockBytes)
    const about = { extent, digestBytes: file.digestBytes, nodeId: 'f'.repeat(32), nodes }
    const config = { ...about, connectMs, silenceMs, progressMs }
    const machine = new OriginMachine(config, dealerFor(nodes, strategies), 0)
    machine.start()
    for (const node of nodes.keys()) {
      machine.handle({ type: 'linked', member: node, nodeId: `id${node}` }, 0)
      machine.handle({ type: 'said', member: node, frame: { type: 'accept', have: [] } }, 0)
      machine.handle({ type: 'fedOut', member: node }, 0)
    }
    const frame = { type: 'backlog', receivedBytes: 0, backlogBytes: 0, landedBytes: 0, behind: [] }
    let sent = 0
    return {
      name: `a backlog report taken in by the coordinator of ${count} nodes`,
      fn() {
        const node = sent++ % count
        machine.handle({ type: 'said', member: node, frame: { ...frame, atMs: sent } }, 0)
        machine.deadlineMs()
      },
    }
  })
}

/** Everything that is planned before a push of many nodes, all their speeds known. */
function planningCases(count, { forecastOf, shapeOf }, { treeOf }) {
  const each = { uplinkBytesPerSecond: 1.25e9, downlinkBytesPerSecond: 1.25e9 }
  const nodes = Array.from({ length: count }, (_, at) => ({ address: `n${at}:1`, ...each }))
  const origin = { uplinkBytesPerSecond: each.uplinkBytesPerSecond }
  const about = { strategy: 'adaptive', file: { ...file, dataBytes: file.bytes }, origin, nodes }
  return [
    {
      name: `${count} nodes planned, the fastest shape found and laid out`,
      fn() {
        const shape = shapeOf('auto', { ...about, groups: {} })
        const { predictedSeconds } = forecastOf(shape, { ...about, groups: {} })
        const { groups } = treeOf(nodes, { shape })
        if (predictedSeconds === null || groups.flat().length !== count)
          throw new Error('the plan is not whole')
      },
    },
  ]
}

/** Reads and hashes blocks of a cached file on this thread, with each engine. */
async function hashCases(file, engines) {
  const range = { offset: 0, length: mebibyte }
  const cases = []
  for (const engine of engines) {
    const source = await engine.storage.openSource(file)
    for (const algorithm of ['xxh64', 'blake3', 'sha256']) {
      cases.push({
        name: `${algorithm}, ${engine.kind} engine`,
        fn: () => engine.hashNow(source.file, range, 65_536, algorithm),
        bytes: mebibyte,
      })
    }
  }
  return cases
}

/** Of 16 MiB of numbers, one in a hundred differs from the base. */
async function patchCases(workspace, { storage, hashSource }, { weights, nudged }, frames) {
  const bytes = 16 * mebibyte
  const base = weights(bytes)
  const open = async (name, content) => {
    writeFileSync(workspace.path(name), content)
    return hashSource((await storage.openSource(workspace.path(name))).file)
  }
  const [before, source] = [await open('base', base), await open('next', nudged(base))]
  const coding = { coding: 'patch', base: before, frameBytes: mebibyte }
  const range = { offset: 0, length: bytes }
  const made = frames.encodeNative({ ...coding, source, range, width: 2 })
  const lengths = made.slice(0, (4 * bytes) / mebibyte)
  const coded = await open('coded', made)
  const dir = await storage.openDataDir(workspace.makeDirectory('patched'))
  const to = hashSource(await storage.createPartial(dir, 'patched', bytes))
  const task = { ...coding, coded, to, at: lengths.length, lengths, offset: 0, fileBytes: bytes }
  return [{ name: 'patch of 1 % applied, 16 MiB', fn: () => frames.decodeNative(task), bytes }]
}

export const micro = {
  name: 'micro',
  about: 'frame codec, signatures, range sets, ledger, dealer, coordinator, digests (repository)',

  async run({ quick, say }) {
    requireRepository()
    const Benchmark = createRequire(import.meta.url)('benchmark')
    const strategies = await import('../dist/control/dealing/strategies.js')
    const cases = [
      ...frameCases(await import('../dist/protocol/frames.js')),
      ...signatureCases(
        await import('../dist/net/crypto.js'),
        await import('../dist/protocol/digest-record.js'),
      ),
      ...rangeCases(await import('../dist/base/ranges.js')),
      ...ledgerCases(await import('../dist/control/holdings/ledger.js')),
      ...dealerCases(strategies),
      ...coordinatorCases(
        await import('../dist/control/coordinator/machine.js'),
        await import('../dist/control/coordinator/extent.js'),
        await import('../dist/base/limits.js'),
        strategies,
      ),
      ...planningCases(
        quick ? 500 : 10_000,
        await import('../dist/control/dealing/planning.js'),
        await import('../dist/control/plan/forecast.js'),
      ),
    ]
    const workspace = new Workspace(mebibyte)
    const { createNativeEngine } = await import('../dist/engine/native/engine.js')
    const { createPortableEngine } = await import('../dist/engine/portable/engine.js')
    const engines = [await createNativeEngine(() => {}), await createPortableEngine(() => {})]
    const file = workspace.path('data')
    writeFileSync(file, randomBytes(mebibyte))
    cases.push(...(await hashCases(file, engines)))
    const [native] = engines
    cases.push(
      ...(await patchCases(
        workspace,
        { storage: native.storage, hashSource: (file) => native.hashSource(file) },
        await import('./coding.mjs'),
        await import('../dist/engine/native/frames.js'),
      )),
    )
    const rows = []
    for (const { name, fn, bytes } of cases) {
      fn() // a case that throws says so here, with its own stack
      const { perSecond, margin } = await measure(Benchmark, fn, quick ? 0 : 2)
      rows.push({
        name,
        perSecond,
        margin,
        rate: bytes === undefined ? null : (bytes * perSecond) / 1e9,
      })
      say(`${name}: ${perSecond.toFixed(0)} a second`)
    }
    for (const engine of engines) await engine.shutdown()
    await workspace.close()
    return {
      suite: 'micro',
      title: 'operations a second',
      columns: [
        { key: 'name', title: 'operation' },
        { key: 'perSecond', title: 'per second', digits: 0 },
        { key: 'margin', title: '+-%', digits: 1 },
        { key: 'rate', title: 'GB/s' },
      ],
      rows,
      notes: [],
    }
  },
}
