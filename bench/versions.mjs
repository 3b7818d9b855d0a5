/**
 * What the next version of a file or a directory puts on the wire, its index and all else counted:
 * `fr push` to a node that has the version before, beside rsync, casync and zsync where they are
 * installed, in the same run. Fresh processes and new files each round. A part in the lab says what
 * a version takes at eight nodes beside the whole push.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { nudged, weights } from './coding.mjs'
import { makePackages, withByteInFront, withChangedPages } from './edits.mjs'
import { missing } from './programs.mjs'
import { median, spread } from './report.mjs'
import { rivals, rivalTrial } from './rivals.mjs'
import { requireSame } from './tree.mjs'
import { judge } from './wanted.mjs'
import { countingDoor } from './wire.mjs'
import { GIB, MIB, push, root, sameContent, Workspace } from './workspace.mjs'

const ours = 'fr push'
/** The index has 8 bytes for each page of 4 KiB. */
const indexShare = 8 / 4096

/**
 * `make` puts the versions `before` and `after` where it is told; `args` are those of the push of
 * the later one; `wanted` is of bytes on the wire.
 */
const cases = [
  {
    key: 'pages',
    name: ({ bytes }) => `${bytes / MIB} MiB, 1 % of its pages changed`,
    wanted: { 'of all': 0.02 + indexShare },
    make: async (workspace, { before, after }, { bytes }) => {
      await workspace.randomFile(path.basename(before), bytes)
      withChangedPages(before, after, 0.01)
    },
  },
  {
    key: 'front',
    name: ({ bytes }) => `${bytes / MIB} MiB, a byte put in at the front`,
    wanted: { 'of all': 0.01 },
    make: async (workspace, { before, after }, { bytes }) => {
      await workspace.randomFile(path.basename(before), bytes)
      withByteInFront(before, after)
    },
  },
  {
    key: 'weights',
    name: ({ weightBytes }) => `${weightBytes / MIB} MiB of bfloat16, 1 % nudged, a patch`,
    wanted: { 'of all': 0.03 },
    args: ({ before }) => ['--base', 'data', '--base-file', before],
    make: async (_, { before, after }, { weightBytes }) => {
      const values = weights(weightBytes)
      writeFileSync(before, values)
      writeFileSync(after, nudged(values))
    },
  },
  {
    key: 'packages',
    name: ({ packages }) => `a tree of ${packages} packages, of the compressed tree`,
    isTree: true,
    wanted: { 'of all': 0.45 },
    make: async (_, { before, after }, { packages }) => {
      for (const directory of [before, after]) mkdirSync(directory)
      makePackages(before, after, packages)
    },
  },
]

const versionsHere = {
  async run({ quick, rounds = quick ? 1 : 3, say }) {
    const sizes = {
      bytes: quick ? 16 * MIB : GIB,
      weightBytes: quick ? 4 * MIB : 256 * MIB,
      packages: quick ? 10 : 100,
    }
    const results = []
    for (const each of cases) {
      const trials = []
      for (let round = 0; round < rounds; round++) {
        trials.push(await trial(each, sizes))
        say(`${each.key}: round ${round + 1} of ${rounds}`)
      }
      results.push({ ...each, name: each.name(sizes), trials })
    }
    return versionsReport(results)
  },
}

/** What each program took, by its name; `{ why }` where one has no figures. */
async function trial(each, sizes) {
  const workspace = new Workspace(6 * Math.max(sizes.bytes, sizes.weightBytes), 'any')
  const { isTree = false } = each
  try {
    const change = { before: workspace.path('before'), after: workspace.path('after'), isTree }
    await each.make(workspace, change, sizes)
    const wholeBytes = await wholeOf(workspace, each, sizes, change)
    const pushed = await pushTrial(workspace, each, change)
    await requireCopy(workspace, change, pushed.copy)
    rmSync(pushed.copy, { recursive: true })
    const taken = { [ours]: pushed }
    for (const rival of rivals) {
      const took = await rivalTrial(rival, workspace, change)
      if (took.copy !== undefined) await requireCopy(workspace, change, took.copy)
      taken[rival.name] = took
    }
    return { wholeBytes, taken }
  } finally {
    await workspace.close()
  }
}

/** Bytes that the new version has: of a tree those of an archive of it that is compressed. */
async function wholeOf(workspace, { key }, { bytes, weightBytes }, { after, isTree }) {
  if (!isTree) return key === 'weights' ? weightBytes : bytes
  const packer = missing('zstd') === null ? 'zstd -q -c' : 'gzip -c'
  const command = `tar cf - -C "$1" . | ${packer} | wc -c`
  const { status, stdout, stderr } = await workspace.collect('sh', ['-ec', command, 'sh', after])
  if (status !== 0) throw new Error(`tar: ${stderr.slice(0, 500)}`)
  return Number(stdout)
}

/** To a node behind a door that counts. */
async function pushTrial(workspace, { args = () => [] }, change) {
  const node = await workspace.startNode({ name: 'node' })
  const door = await countingDoor(node.address)
  const nodesFile = workspace.path('nodes')
  writeFileSync(nodesFile, `${door.address}\n`)
  const pushed = async (source, more = []) => {
    const named = ['--as', 'data', ...more]
    const done = await push(workspace, { source, nodes: [node], nodesFile, args: named })
    if (done.exitStatus !== 0) throw new Error(`fr push: ${done.errorText}`)
    return { seconds: done.wallSeconds, wireBytes: door.taken() }
  }
  try {
    await pushed(change.before)
    const took = await pushed(change.after, args(change))
    return { ...took, copy: path.join(node.data, 'data') }
  } finally {
    door.close()
    await workspace.stop([node])
  }
}

async function requireCopy(workspace, { after, isTree }, copy) {
  if (isTree) return requireSame(workspace, after, copy)
  if (!sameContent(after, copy)) throw new Error(`${copy} is not the new version`)
}

/** `results`: cases with the trials of each. */
export function versionsReport(results) {
  const rows = results.flatMap(({ name, wanted, trials }) =>
    [ours, ...rivals.map((rival) => rival.name)].map((program) => {
      const took = trials.map(({ taken }) => taken[program])
      const why = took.find((each) => each.why !== undefined)?.why
      if (why !== undefined) return { name, program, moved: why, missed: [] }
      const parts = trials.map(({ taken, wholeBytes }) => taken[program].wireBytes / wholeBytes)
      const ofAll = median(parts)
      const judged = program === ours ? judge(name, wanted, { 'of all': ofAll }, 4) : {}
      return {
        ...{ name, program, ofAll },
        moved: (median(took.map((each) => each.wireBytes)) / MIB).toFixed(2),
        seconds: spread(took.map((each) => each.seconds)),
        missed: [],
        ...judged,
      }
    }),
  )
  return {
    suite: 'versions',
    title: 'the next version, to one node that has the one before, on loopback',
    columns: [
      { key: 'name', title: 'what' },
      { key: 'program', title: 'program' },
      { key: 'moved', title: 'MiB on the wire' },
      { key: 'ofAll', title: 'of all', digits: 4 },
      { key: 'wanted', title: 'wanted' },
      { key: 'met', title: 'met' },
      { key: 'seconds', title: 'seconds' },
    ],
    rows,
    isJudged: true,
    missed: rows.flatMap((row) => row.missed),
    notes: [
      'on the wire: all bytes of all connections, both ways, with indexes, digests and TLS',
      'packages are made up (bench/edits.mjs): of two in five there is another version; of all: ' +
        'of a tar of the new tree, compressed by zstd where it is installed, else by gzip',
      'seconds: from the start of the program to its exit, on loopback, where bytes cost nothing',
    ],
  }
}

export const versions = {
  name: 'versions',
  about: 'the next version of files and trees: bytes on the wire, beside rsync, casync and zsync',
  async parts() {
    // The published package has no lab.
    if (!existsSync(path.join(root, 'bench/lab'))) return [versionsHere]
    const { versionsOf8 } = await import('./lab/versions.mjs')
    return [versionsHere, versionsOf8]
  },
}
