/**
 * What several disks take of one push: striped over two of 32 MiB/s, and over one of 48 beside one
 * of 16, in turns with one disk of 32 MiB/s. The disks are file systems of their own (ext4 on loop
 * devices), and a control group limits what the node may write to each of them.
 *
 * Needs root and the blkio controller of cgroup v1. File systems, devices and group are gone when
 * the bench has ended, also by a signal; after a SIGKILL of the bench itself they are not.
 */
import { spawnSync } from 'node:child_process'
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { median, spread } from './report.mjs'
import { judge } from './wanted.mjs'
import { MIB, Obstacle, push, sameContent, Workspace } from './workspace.mjs'

/** Rates of the disks in MiB/s. */
const layouts = [
  { name: 'one disk', rates: [32] },
  { name: 'striped, equal disks', rates: [32, 32], wanted: { 'of one disk': 0.6 } },
  { name: 'striped, one three times as fast', rates: [48, 16], wanted: { 'off 3:1': 0.25 } },
]
const [, equal, unequal] = layouts
/** For the journals of the file system and the node; nothing is to stay free. */
const spareBytes = 64 * MIB
const removeTries = 100
const removePauseMs = 20

export const disks = {
  name: 'disks',
  about: 'a push to a node with two slow disks, beside one disk (root, cgroup v1 with blkio)',
  async run({ quick, rounds = quick ? 1 : 3, say }) {
    const bytes = (quick ? 16 : 192) * MIB
    const hierarchy = blkioHierarchy()
    // The source, what is fetched back, and the disks: files there are sparse.
    const workspace = new Workspace(bytes * 3 + 2 * spareBytes, 'any')
    const trials = new Map(layouts.map(({ name }) => [name, []]))
    const slow = new SlowDisks(workspace, hierarchy)
    try {
      const source = await workspace.randomFile('source', bytes)
      slow.mount(bytes + spareBytes)
      for (let round = 0; round < rounds; round++)
        for (const layout of layouts) {
          const done = await trial(workspace, slow, source, layout)
          trials.get(layout.name).push(done)
          say(`${layout.name}, round ${round + 1}: ${done.seconds.toFixed(2)} s`)
        }
    } finally {
      slow.unmount()
      await workspace.close()
      slow.removeGroup()
    }
    return disksReport({ bytes, rounds, trials })
  },
}

/** Where control groups that limit block devices are made. */
function blkioHierarchy() {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new Obstacle('file systems of its own need root, on Linux')
  const mounts = readFileSync('/proc/mounts', 'latin1').split('\n')
  const found = mounts
    .map((line) => line.split(' '))
    .find(([, , type, options]) => type === 'cgroup' && options.split(',').includes('blkio'))
  if (found !== undefined) return found[1]
  throw new Obstacle('this machine has no cgroup v1 with blkio, which limits the disks')
}

/** Runs a program that this machine may not have, or not let us run. */
function command(program, ...args) {
  const done = spawnSync(program, args, { encoding: 'utf8' })
  if (done.status === 0) return done.stdout
  const why = done.error?.message ?? done.stderr.trim().split('\n').at(-1)
  throw new Obstacle(`${[program, ...args].join(' ')}: ${why}`)
}

/** Two file systems, and a control group whose processes write to them no faster than told. */
class SlowDisks {
  directories
  #group
  #devices = []
  #workspace
  #onExit = [() => this.unmount(), () => this.removeGroup()]

  constructor(workspace, hierarchy) {
    this.#workspace = workspace
    this.#group = path.join(hierarchy, `fr-bench-${process.pid}`)
    this.directories = ['a', 'b'].map((name) => workspace.makeDirectory(name))
    try {
      mkdirSync(this.#group)
    } catch (error) {
      throw new Obstacle(`no control group can be made in ${hierarchy}: ${error.code}`)
    }
    // The file systems go before the workspace and its processes do, the group after them.
    process.prependListener('exit', this.#onExit[0])
    process.on('exit', this.#onExit[1])
  }

  mount(bytes) {
    for (const directory of this.directories) {
      const image = `${directory}.ext4`
      command('truncate', '-s', String(bytes), image)
      command('mkfs.ext4', '-q', '-F', '-m', '0', image)
      command('mount', '-o', 'loop', image, directory)
      const device = command('findmnt', '-n', '-o', 'MAJ:MIN', directory).trim()
      this.#devices.push(device)
    }
  }

  /** A node whose data directories are on as many disks as there are rates. */
  async startNode(rates) {
    for (const [at, device] of this.#devices.entries()) {
      const rate = (rates[at] ?? rates[0]) * MIB
      writeFileSync(`${this.#group}/blkio.throttle.write_bps_device`, `${device} ${rate}`)
    }
    const [, ...others] = this.dataDirs.slice(0, rates.length)
    for (const directory of others) mkdirSync(directory)
    const more = others.flatMap((directory) => ['--data', directory])
    const placement = rates.length > 1 ? ['--placement', 'striped'] : []
    return await this.#workspace.startNode({
      name: 'a/data',
      prefix: ['sh', '-c', 'echo $$ > "$0" && exec "$@"', `${this.#group}/cgroup.procs`],
      args: [...more, ...placement, '--min-free', '0', '--log-level', 'error'],
    })
  }

  get dataDirs() {
    return this.directories.map((directory) => path.join(directory, 'data'))
  }

  /** Bytes of the parts on each disk. */
  partBytes() {
    return this.dataDirs.map((directory) => {
      const parts = path.join(directory, '.fastreplica/parts')
      const sizes = readdirSync(parts).map((part) => statSync(path.join(parts, part)).blocks * 512)
      return sizes.reduce((sum, size) => sum + size, 0)
    })
  }

  /** What a node has left there. */
  clear() {
    for (const directory of this.dataDirs) rmSync(directory, { recursive: true, force: true })
  }

  unmount() {
    for (const directory of this.directories.slice(0, this.#devices.length))
      spawnSync('umount', ['-l', directory], { stdio: 'ignore' })
    this.#devices = []
    process.off('exit', this.#onExit[0])
  }

  /** Once its processes are gone. */
  removeGroup() {
    for (let tries = 0; tries < removeTries; tries++)
      try {
        rmdirSync(this.#group)
        break
      } catch (error) {
        if (error.code !== 'EBUSY') break
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, removePauseMs)
      }
    process.off('exit', this.#onExit[1])
  }
}

async function trial(workspace, slow, source, { name, rates }) {
  const isStriped = rates.length > 1
  const node = await slow.startNode(rates)
  const done = await push(workspace, { source, nodes: [node], args: ['--as', 'pushed'] })
  if (done.exitStatus !== 0) throw new Error(`${name}: fr push: ${done.errorText}`)
  const bytes = isStriped ? slow.partBytes() : null
  const fetched = workspace.path('fetched')
  const get = workspace.fr(['get', 'pushed', '--from', node.address, '-o', fetched])
  await get.succeed(`${name}: fr get`)
  const isGood = sameContent(source, fetched)
  rmSync(fetched)
  await workspace.stop([node])
  slow.clear()
  if (!isGood) throw new Error(`${name}: the file is not what was pushed`)
  return { seconds: done.result.seconds, bytes }
}

/** Bytes on the first disk for each on the second. */
const shareOf = ({ bytes: [first, second] }) => first / second

export function disksReport({ bytes, rounds, trials }) {
  const all = (layout, value) => trials.get(layout.name).map(value)
  const secondsOf = (layout) => all(layout, ({ seconds }) => seconds)
  const one = secondsOf(layouts[0])
  const ratioOf = (layout) => median(secondsOf(layout).map((seconds, at) => seconds / one[at]))
  const share = (layout) => median(all(layout, shareOf))
  const figures = new Map([
    [equal.name, { 'of one disk': ratioOf(equal) }],
    [unequal.name, { 'off 3:1': Math.abs(share(unequal) / 3 - 1) }],
  ])
  const missed = []
  const rows = layouts.map((layout) => {
    const { name, rates, wanted } = layout
    const judged = judge(name, wanted, figures.get(name) ?? {})
    missed.push(...judged.missed)
    return {
      name: `${name}: ${rates.join(' + ')} MiB/s`,
      seconds: spread(secondsOf(layout)),
      ratio: ratioOf(layout),
      shares: rates.length > 1 ? `${spread(all(layout, shareOf))} : 1` : null,
      ...{ wanted: judged.wanted, met: judged.met, trials: trials.get(name) },
    }
  })
  return {
    suite: 'disks',
    title: `${bytes / MIB} MiB to one node, ${rounds} rounds`,
    columns: [
      { key: 'name', title: 'disks' },
      { key: 'seconds', title: 'seconds' },
      { key: 'ratio', title: 'of one disk' },
      { key: 'shares', title: 'shares' },
      { key: 'wanted', title: 'wanted' },
      { key: 'met', title: 'met' },
    ],
    rows,
    isJudged: true,
    missed,
    notes: ['shares: bytes on the first disk for each on the second'],
  }
}
