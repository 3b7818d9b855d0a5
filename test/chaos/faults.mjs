/**
 * What chaos does to a push, each by itself. A fault strikes real processes, sockets, cables and
 * disks; it ends when its time is over or the push is, whichever comes first, and leaves nothing
 * behind.
 *
 * `on`: where it can be done, on loopback (through doors) or in a lab (namespaces). `excuses`: the
 * codes with which the node that it strikes may fail; without it, all nodes must be complete.
 * `strike` resolves to words for what was done.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { canFail, MemoryDisk } from './disks.mjs'

const lost = ['ERR_FR_NODE_LOST', 'ERR_FR_NODE_SILENT', 'ERR_FR_UNREACHABLE']

/** One connection somewhere in 250 ms. */
async function resets(ground, random, isLink) {
  let count = 0
  while (await ground.lasts(250)) if (random.pick(ground.doors).reset(isLink, random)) count++
  const what = isLink ? 'control links' : 'data connections'
  return `${count} ${what} reset, one every 250 ms`
}

async function stopped(ground, running, ms) {
  running.kill('SIGSTOP')
  await ground.lasts(ms)
  running.kill('SIGCONT')
}

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`
const aWhile = (random) => random.integer(1000, 3000)

/** Between it and all others, one way: `input` is what it would hear. */
function drop(ground, host, way) {
  const nft = (...args) => {
    execFileSync('ip', ['netns', 'exec', ground.namespace(host), 'nft', ...args])
  }
  nft('add', 'table', 'inet', 'chaos')
  const hook = `{ type filter hook ${way} priority 0; policy drop; }`
  nft('add', 'chain', 'inet', 'chaos', way, hook)
  return () => nft('delete', 'table', 'inet', 'chaos')
}

export const faults = {
  'reset-data': { on: 'loopback', strike: (ground, random) => resets(ground, random, false) },

  'reset-links': { on: 'loopback', strike: (ground, random) => resets(ground, random, true) },

  flips: {
    on: 'loopback',
    isFromStart: true,
    async strike(ground, random) {
      for (const door of ground.doors) door.flipOneIn(1e7, random)
      await ground.isOver
      const count = ground.doors.reduce((sum, { flipped }) => sum + flipped, 0)
      return `${count} bits flipped, one in 10^7 bytes of all connections`
    },
  },

  stop: {
    on: 'both',
    async strike(ground, random) {
      const victim = ground.victim(random)
      const ms = aWhile(random)
      await stopped(ground, ground.nodes[victim], ms)
      return `node ${victim} stopped for ${seconds(ms)}`
    },
  },

  'stop-origin': {
    on: 'both',
    async strike(ground, random) {
      const ms = aWhile(random)
      await stopped(ground, ground.pushing, ms)
      return `the origin stopped for ${seconds(ms)}`
    },
  },

  kill: {
    on: 'both',
    excuses: lost,
    async strike(ground, random) {
      const victim = ground.victim(random)
      ground.nodes[victim].kill('SIGKILL')
      return `node ${victim} killed`
    },
  },

  restart: {
    on: 'both',
    async strike(ground, random) {
      const victim = ground.victim(random)
      ground.nodes[victim].kill('SIGKILL')
      await ground.restart(victim)
      return `node ${victim} killed and started again`
    },
  },

  cable: {
    on: 'lab',
    async strike(ground, random) {
      const victim = ground.victim(random)
      const ms = aWhile(random)
      ground.lab.cut(victim + 1)
      await ground.lasts(ms)
      ground.lab.mend(victim + 1)
      return `the cable of node ${victim} out for ${seconds(ms)}`
    },
  },

  'one-way': {
    on: 'lab',
    isPossible: () => spawnSync('nft', ['--version']).status === 0,
    async strike(ground, random) {
      const victim = ground.victim(random)
      const [way, ms] = [random.pick(['input', 'output']), aWhile(random)]
      const heal = drop(ground, victim + 1, way)
      await ground.lasts(ms)
      heal()
      return `node ${victim} ${way === 'input' ? 'hears' : 'is heard by'} nobody for ${seconds(ms)}`
    },
  },

  'full-disk': {
    on: 'both',
    excuses: ['ERR_FR_NO_SPACE'],
    isPossible: canFail,
    /** Before nodes are started: one has a small disk of its own. */
    prepare(ground, random) {
      const victim = ground.victim(random)
      ground.disk(victim, new MemoryDisk(ground.dataOf(victim), String(ground.bytes + 2 ** 23)))
      ground.fullAt = victim
    },
    async strike(ground) {
      ground.disks.get(ground.fullAt).fill()
      return `the disk of node ${ground.fullAt} filled`
    },
  },

  'kill-origin': {
    on: 'both',
    killsOrigin: true,
    async strike(ground) {
      ground.pushing.kill('SIGKILL')
      return 'the origin killed'
    },
  },
}
