/** Frames of each type for the tests of the protocol, at random and one each. */

import { digestAlgorithms } from '../../../src/base/digests.js'
import { limits } from '../../../src/base/limits.js'
import type { RangePair } from '../../../src/base/ranges.js'
import { heldKinds, heldStates } from '../../../src/control/messages/held.js'
import type { Frame } from '../../../src/control/messages/types.js'
import { encodeName } from '../../../src/protocol/manifest.js'
import fc from '../../support/property.js'
import { askingMasterBodies } from './asking-master-frames.js'
import { commitBodies } from './commit-frames.js'
import { directoryBodies } from './directory-frames.js'
import { diskBodies } from './disk-frames.js'
import { growingBodies } from './growing-frames.js'
import { arrivalBodies } from './index-frames.js'
import { masterBodies } from './master-frames.js'
import { fileDigest, hex } from './parts.js'
import { publishingBodies } from './publishing-frames.js'
import { bytes, code, mate, ranges, rawName, streamEntry, text, u32 } from './support.js'
import { swarmBodies } from './swarm-frames.js'
import { versionBodies } from './version-frames.js'

const nameText = rawName.map(encodeName)
const [some, kept] = [fc.option(bytes), fc.nat({ max: limits.fileBytes })]
const kind = fc.constantFrom(...heldKinds)
const heldEntry = fc
  .record({
    ...{ raw: nameText, kind, state: fc.constantFrom(...heldStates), size: kept },
    ...{ contentId: fc.option(hex(32)), fileDigest: fc.option(fileDigest) },
    ...{ entries: some, publishedAtMs: some, verifiedAtMs: some },
  })
  .map(({ raw, ...rest }) => ({ ...raw, ...rest, heldBytes: Math.floor(rest.size / 2) }))

const mates = <T extends { member: number }>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc
    .uniqueArray(item, { selector: (one) => one.member, maxLength: 8 })
    .map((list) => list.sort((a, b) => a.member - b.member))

const reason = fc.record({ code, text })
const heldFailure = fc.tuple(nameText, reason).map(([name, why]) => ({ ...name, ...why }))
const heldTree = fc
  .record({ entries: bytes, failures: fc.array(heldFailure, { maxLength: 8 }) })
  .map((found) => ({ ...found, failedCount: found.failures.length }))
const [tree, maybeDigest] = [fc.option(heldTree), fc.option(fileDigest)]
const part = { isFirst: fc.boolean(), isWhole: fc.boolean(), bytes: some, next: fc.option(text) }
const pack = fc
  .tuple(fc.record(part), heldTree)
  .map(([of, { entries: _, ...left }]) => ({ ...of, ...left }))
const only = fc.constantFrom<RangePair[]>(
  [],
  [[0, 2]],
  [
    [1, 4],
    [8, 1],
  ],
)
const packAsk = fc.record({ from: text, only: fc.option(only) })
const fetched = fc.record({
  ...{ transfer: hex(32), you: fc.integer({ min: 1, max: 0xffff_ffff }) },
  edge: fc.record({ id: hex(32), secret: hex(64) }),
  ...{ entry: streamEntry, digest: fc.constantFrom(...digestAlgorithms), fileDigest },
})
const verdict = { bytes, badBytes: bytes, fileDigest: maybeDigest, tree }

type Bodies = { [T in Frame['type']]: fc.Arbitrary<Omit<Extract<Frame, { type: T }>, 'type'>> }

const address = fc.constantFrom('10.0.0.2:7400', '[::1]:7400', 'node-a.lan:7400')
const site = fc.string({ maxLength: limits.siteChars })
const anyMember = fc.record(
  { number: mate, nodeId: hex(32), address, via: address, through: address, site },
  { requiredKeys: ['number', 'nodeId'] },
)
const term = fc.record({ counter: fc.integer({ min: 1, max: 0xffff_ffff }), member: mate })
const route = fc.record({
  route: fc.integer({ min: 1, max: 0xffff }),
  to: fc.array(fc.record({ member: mate, next: fc.nat({ max: 0xffff }) }), { maxLength: 5 }),
})
const answer = fc.oneof(reason, fc.record({ code: fc.constant(null), text }))
const indices = fc.uniqueArray(mate, { maxLength: 8 }).map((list) => list.sort((a, b) => a - b))

const rate = fc.integer({ min: 1, max: 2 ** 40 })
const limit = fc.integer({ min: limits.rateMin, max: limits.rateMax })
const share = fc.record(
  {
    upBytesPerSecond: limit,
    downBytesPerSecond: limit,
    priority: fc.integer({ min: limits.priorityMin, max: limits.priorityMax }),
    flows: fc.integer({ min: 1, max: limits.flowsPerFeed }),
  },
  { requiredKeys: [] },
)
const nodeLink = fc.record(
  {
    address,
    advertise: address,
    via: address,
    site: fc.stringMatching(/^[a-z]{0,8}$/),
    uplinkBytesPerSecond: rate,
    downlinkBytesPerSecond: rate,
  },
  { requiredKeys: ['address'] },
)

const progress = fc.record({
  atMs: bytes,
  landedBytes: bytes,
  verifiedBytes: bytes,
  repairedBytes: bytes,
  sentBytes: bytes,
  mates: mates(fc.record({ member: mate, queuedBytes: bytes, unackedBytes: bytes })),
  holeBytes: bytes,
  receivedBytes: bytes,
  duplicateBytes: bytes,
  received: mates(fc.record({ member: mate, bytes })),
  pulled: mates(fc.record({ member: mate, bytes })),
})
const backlog = fc.record({
  atMs: bytes,
  landedBytes: bytes,
  receivedBytes: bytes,
  backlogBytes: bytes,
  behind: indices,
})

const silence = {
  silenceMs: fc.integer({ min: limits.silenceMsMin, max: limits.silenceMsMax }),
  detection: fc.constant({ suspectMs: limits.suspectMsMin, failMs: limits.silenceMsMin - 1 }),
}

const bodies: Bodies = {
  offer: fc
    .record({
      transfer: hex(32),
      digest: fc.constantFrom(...digestAlgorithms),
      noClobber: fc.boolean(),
      strict: fc.boolean(),
      streams: fc.integer({ min: 1, max: limits.streamsPerTransfer }),
      bytes,
      manifestPages: fc.integer({ min: 1, max: limits.manifestPages }),
      author: hex(64),
      ...silence,
      planned: fc.boolean(),
      fileDigest: fc.option(fileDigest),
      role: fc.constantFrom('receiver', 'mirror', 'gateway'),
      keep: fc.nat({ max: limits.versionsPerName }),
      beside: fc.boolean(),
    })
    .chain((offer) => fc.option(share).map((share) => (share ? { ...offer, share } : offer))),
  manifest: fc.record({
    page: fc.nat({ max: limits.manifestPages - 1 }),
    entries: fc.array(streamEntry, { maxLength: 5 }),
    signature: hex(128),
  }),
  plan: fc.record({
    term,
    epoch: bytes,
    you: mate,
    phase: fc.constantFrom('forming', 'running'),
    strategy: fc.constantFrom('classic' as const, 'adaptive' as const),
    shape: fc.constantFrom('unicast', 'group', 'chain', 'tree', 'binomial'),
    members: fc.array(anyMember, { maxLength: 8 }),
    parents: fc.array(mate, { maxLength: 3 }),
    routes: fc.array(route, { maxLength: 3 }),
    avoid: fc.uniqueArray(mate, { maxLength: 5 }).map((all) => all.sort((a, b) => a - b)),
    siteShares: fc.array(
      fc.record({
        site: fc.string({ maxLength: limits.siteChars }),
        bytesPerSecond: fc.integer({ min: 1, max: limits.rateMax }),
      }),
      { maxLength: 3 },
    ),
    coordinator: mate,
    standbys: fc.array(mate, { maxLength: limits.standbys }),
    reportTo: mate,
    edges: fc.array(
      fc.record(
        { member: mate, id: hex(32), secret: hex(64), sealed: fc.constant(true as const) },
        { requiredKeys: ['member', 'id', 'secret'] },
      ),
      { maxLength: 5 },
    ),
    progressMs: fc.integer({ min: 1, max: limits.suspectMs }),
    reportMs: fc.integer({ min: 0, max: limits.suspectMs }),
  }),
  detour: fc.record({
    member: mate,
    why: fc.constantFrom('broken', 'away', 'held'),
    ranges,
    route: fc.integer({ min: 0, max: 0xffff }),
  }),
  mend: fc.record({ member: mate, ranges }),
  passOn: fc.record({ ranges, route: fc.integer({ min: 1, max: 0xffff }) }),
  stale: fc.record({ term, epoch: bytes }),
  roster: fc
    .record({
      term,
      epoch: bytes,
      entries: fc.array(
        fc.record(
          {
            nodeId: fc.oneof(hex(32), fc.constant('')),
            address,
            advertise: address,
            via: address,
            site,
            sealed: fc.constant(true as const),
            state: fc.constantFrom('coming', 'running', 'complete', 'out'),
          },
          { requiredKeys: ['nodeId', 'address', 'state'] },
        ),
        { maxLength: 5 },
      ),
    })
    .map(({ entries, ...dated }) => {
      return { ...dated, entries: entries.map((entry, number) => ({ number, ...entry })) }
    }),
  seal: fc.record({ stream: u32, fileDigest: fc.option(fileDigest) }),
  succeed: fc.record({ transfer: hex(32), term }),
  holds: fc.record({ have: ranges, fileDigest: fc.option(fileDigest) }),
  beat: fc.constant({}),
  heard: fc.record({ frames: fc.nat() }),
  finish: fc.constant({}),
  abort: reason,
  ...arrivalBodies(ranges),
  refuse: reason,
  progress,
  need: fc.record({ scratch: fc.boolean(), ranges }),
  needDigests: fc.record({ ranges }),
  pull: fc.record({ request: bytes, ranges }),
  holding: fc.record({ request: bytes, ranges, backlogBytes: bytes }),
  pullRefused: fc.record({ request: bytes, code, text }),
  fetch: fc.oneof(
    nameText,
    nameText.map((of) => ({ ...of, follow: true as const })),
    nameText.map((of) => ({ ...of, standing: true as const })),
    fc.tuple(nameText, fileDigest).map(([of, content]) => ({ ...of, content })),
    fc.tuple(nameText, packAsk).map(([of, pack]) => ({ ...of, pack })),
  ),
  flows: fc.record({ count: fc.integer({ min: 2, max: limits.flowsPerFeed }) }),
  fetched: fc.oneof(
    fetched,
    fc.tuple(fetched, pack).map(([of, one]) => ({ ...of, pack: one })),
    fetched.map((of) => (of.entry.growing === true ? { ...of, fileDigest: '' } : of)),
  ),
  bad: fc.record({ offset: fc.nat(2 ** 52), length: fc.integer({ min: 1, max: 2 ** 40 }) }),
  edgeLost: fc.record({ member: mate, incoming: fc.boolean(), code }),
  edgeBack: fc.record({ member: mate, incoming: fc.boolean() }),
  complete: fc.record({
    bytes,
    repairedBytes: bytes,
    fileDigest,
    warnings: fc.array(fc.stringMatching(/^[a-z ]{0,40}$/), { maxLength: limits.warningsPerNode }),
  }),
  failed: reason,
  joined: fc.tuple(bytes, answer).map(([request, said]) => ({ request, ...said })),
  join: fc.record({ request: bytes, node: nodeLink }),
  add: fc.record({ transfer: hex(32), node: nodeLink }),
  added: fc.constant({}),
  reach: fc.record({
    transfer: hex(32),
    targets: fc.array(address, { maxLength: limits.bridgeTargets }),
  }),
  bridge: fc.record({ request: bytes, transfer: hex(32), target: address }),
  bridged: fc.oneof(
    fc.tuple(bytes, code, text).map(([request, code, text]) => {
      return { request, code, text, ticket: '' }
    }),
    fc.tuple(bytes, hex(64)).map(([request, ticket]) => {
      return { request, code: null, text: '', ticket }
    }),
  ),
  limit: fc
    .tuple(fc.option(hex(32)), fc.option(limit), limit)
    .map(([transfer, upBytesPerSecond, downBytesPerSecond]) =>
      transfer === null
        ? { transfer, upBytesPerSecond }
        : { transfer, upBytesPerSecond, downBytesPerSecond },
    ),
  limited: fc.record({ upBytesPerSecond: fc.option(limit), downBytesPerSecond: fc.option(limit) }),
  lagging: fc.record({ members: indices }),
  backlog,
  reports: fc.record({
    of: mates(
      fc.record({
        member: mate,
        progress: fc.option(progress.map((body) => ({ type: 'progress' as const, ...body }))),
        backlog: fc.option(backlog.map((body) => ({ type: 'backlog' as const, ...body }))),
      }),
    ),
  }),
  list: fc.record({
    glob: fc.option(nameText),
    after: fc.string({ maxLength: 40 }),
    limit: fc.integer({ min: 1, max: limits.listPageFiles }),
  }),
  listed: fc.record({
    nowMs: bytes,
    entries: fc.array(heldEntry, { maxLength: 5 }),
    next: fc.option(fc.string({ maxLength: 40 })),
  }),
  ...diskBodies,
  ...masterBodies,
  ...askingMasterBodies,
  ...swarmBodies,
  ...versionBodies(nameText),
  ...publishingBodies(nameText),
  ...directoryBodies,
  ...growingBodies,
  ...commitBodies(nameText),
  copy: fc.record({
    transfer: hex(32),
    name: fc.option(nameText),
    content: fc.option(fc.record({ fileDigest, bytes: fc.nat({ max: 2 ** 40 }) })),
    as: nameText,
    attributes: fc.option(
      fc.record({
        mode: fc.nat({ max: 0o7777 }),
        mtimeSeconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
        mtimeNanos: fc.integer({ min: 0, max: 999_999_999 }),
      }),
    ),
    nodes: fc.array(nodeLink, { maxLength: 5 }),
    strategy: fc.constantFrom('classic' as const, 'adaptive' as const),
    shape: fc.constantFrom('auto', 'unicast', 'group'),
    noClobber: fc.boolean(),
    strict: fc.boolean(),
    allowAdd: fc.boolean(),
    wait: fc.boolean(),
    connectMs: fc.integer({ min: 1, max: limits.connectMsMax }),
    ...silence,
    retries: fc.nat({ max: limits.retriesMax }),
    rejoinMs: fc.nat({ max: limits.rejoinMsMax }),
    timeoutMs: fc.option(fc.integer({ min: 1, max: limits.timeoutMsMax })),
    minRateBytesPerSecond: fc.option(rate),
    uplinkBytesPerSecond: fc.option(rate),
    share,
    groups: fc.record({
      site: fc.constant('b'),
      groupSize: fc.integer({ min: 1, max: limits.nodesPerGroup }),
      handover: fc.constantFrom('corresponding', 'every'),
      siteLinks: fc.array(
        fc.record(
          {
            ...{ from: fc.constant('a'), to: fc.constant('b'), bytesPerSecond: limit },
            sealed: fc.constant(true as const),
          },
          { requiredKeys: ['from', 'to', 'bytesPerSecond'] },
        ),
        { maxLength: 3 },
      ),
    }),
    relays: fc.array(nodeLink, { maxLength: limits.helpersPerPush }),
    detach: fc.boolean(),
  }),
  missed: fc.record({ member: mate }),
  copying: fc.record({ transfer: hex(32) }),
  follow: fc.record({ transfer: hex(32) }),
  report: fc.record({ json: fc.string({ unit: 'binary', maxLength: 200 }) }),
  reported: fc.record({ json: fc.string({ unit: 'binary', maxLength: 200 }) }),
  remove: fc.tuple(nameText, fc.boolean()).map(([name, isGlob]) => ({ ...name, isGlob })),
  removing: fc.record({ entries: bytes }),
  removed: fc.record({ entries: bytes, kept: bytes, failedCount: bytes, text }),
  verify: nameText,
  verifying: fc.record({ readBytes: bytes, bytes }),
  verified: fc.tuple(answer, fc.record(verdict)).map(([said, found]) => ({ ...said, ...found })),
  statusRequest: fc.constant({}),
  status: fc.record({ json: fc.string({ unit: 'binary', maxLength: 200 }) }),
}

export const frameTypes = Object.keys(bodies) as Frame['type'][]

export const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  ...Object.entries(bodies).map(([type, body]) =>
    (body as fc.Arbitrary<object>).map((fields) => ({ type, ...fields }) as Frame),
  ),
)

const shownBacklog = { atMs: 8, landedBytes: 7, receivedBytes: 6, backlogBytes: 5, behind: [1, 2] }

/** The reports as docs/protocol.md shows them. */
const reports: Partial<Record<Frame['type'], object>> = {
  progress: {
    atMs: 1_000,
    landedBytes: 1,
    verifiedBytes: 1,
    repairedBytes: 0,
    sentBytes: 2,
    mates: [{ member: 1, queuedBytes: 5, unackedBytes: 6 }],
    holeBytes: 1,
    receivedBytes: 9,
    duplicateBytes: 3,
    received: [{ member: 2, bytes: 8 }],
    pulled: [{ member: 2, bytes: 7 }],
  },
  backlog: shownBacklog,
  reports: {
    of: [{ member: 3, progress: null, backlog: { type: 'backlog', ...shownBacklog } }],
  },
}

/** One valid frame of each type. */
export const sampleFrames = frameTypes.map((type) => {
  const [body] = fc.sample(bodies[type] as fc.Arbitrary<object>, { numRuns: 1, seed: 1 })
  return { type, ...(reports[type] ?? body) } as Frame
})
