/**
 * What coding brings: a patch of weights of which one in a hundred was nudged, text over an uplink
 * of 100 Mbit/s as it is, compressed and as `auto` wants it, and random bytes, which `auto` never
 * compresses. Fresh processes and new files each round, in turns.
 */
import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { median, spread } from './report.mjs'
import { judge } from './wanted.mjs'
import { MIB, push, sameContent, Workspace } from './workspace.mjs'

const wanted = {
  patch: { 'moved of all': 0.03 },
  zstd: { 'of whole': 0.99 },
  auto: { 'of whole': 0.99 },
  noise: { compressed: 0 },
}
const uplink = ['--limit-up', '100Mbit']

export const coding = {
  name: 'coding',
  about: 'patches against a base, compressed text over 100 Mbit/s, random bytes: beside a push',
  async run({ quick, rounds = quick ? 1 : 3, nodes: count = 2, say }) {
    const bytes = quick ? 8 * MIB : 256 * MIB
    const textBytes = quick ? 4 * MIB : 64 * MIB
    const workspace = new Workspace((bytes + textBytes) * (count + 2) * 3)
    const trials = []
    try {
      for (let round = 0; round < rounds; round++) {
        trials.push(await trial(workspace, count, bytes, textBytes))
        say(`round ${round + 1} of ${rounds}`)
      }
    } finally {
      await workspace.close()
    }
    return codingReport({ count, bytes, textBytes, trials })
  },
}

async function trial(workspace, count, bytes, textBytes) {
  const nodes = await workspace.startNodes(count)
  const pushed = async (content, as, args = [], from = as) => {
    const source = workspace.path(`source-${from}`)
    writeFileSync(source, content)
    const done = await push(workspace, { source, nodes, args: ['--as', as, ...args] })
    const good = nodes.every((node) => sameContent(source, `${node.data}/${as}`))
    if (done.exitStatus !== 0 || !good) throw new Error(`fr push: ${done.errorText}`)
    return { ...done.result, source }
  }
  const before = weights(bytes)
  const whole = await pushed(before, 'weights')
  const base = ['--base', 'weights', '--base-file', whole.source]
  const patch = await pushed(nudged(before), 'weights', base, 'patched')
  // No two of them are the same content, which nodes would copy.
  const plain = await pushed(prose(textBytes), 'plain', uplink)
  const zstd = await pushed(prose(textBytes), 'zstd', [...uplink, '--compress', 'zstd'])
  const auto = await pushed(prose(textBytes), 'auto', [...uplink, '--compress', 'auto'])
  const noise = await pushed(randomBytes(textBytes), 'noise', [...uplink, '--compress', 'auto'])
  await workspace.stop(nodes)
  for (const { data } of nodes) rmSync(data, { recursive: true })
  return { whole, patch, plain, zstd, auto, noise }
}

/** Normally distributed numbers as bfloat16. */
export function weights(bytes) {
  const numbers = new Float32Array(bytes / 2)
  for (let at = 0; at < numbers.length; at += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - Math.random()))
    const angle = 2 * Math.PI * Math.random()
    numbers[at] = radius * Math.cos(angle)
    numbers[at + 1] = radius * Math.sin(angle)
  }
  // Not by Uint16Array.from, which makes a list of all of them first.
  const whole = new Uint32Array(numbers.buffer)
  const halves = new Uint16Array(whole.length)
  for (let at = 0; at < halves.length; at++) halves[at] = whole[at] >>> 16
  return Buffer.from(halves.buffer)
}

/** One in a hundred of them a few units in the last place away. */
export function nudged(before) {
  const after = Buffer.from(before)
  for (let at = 0; at < after.length; at += 2) {
    if (Math.random() >= 0.01) continue
    const step = 1 + Math.floor(Math.random() * 8)
    after.writeUInt16LE(Math.min(65_535, after.readUInt16LE(at) + step), at)
  }
  return after
}

/** Lines as logs have them. */
export function prose(bytes) {
  const verbs = ['opened', 'closed', 'read', 'wrote', 'sent', 'received', 'waited for']
  const lines = []
  for (let length = 0; length < bytes; ) {
    const verb = verbs[Math.floor(Math.random() * verbs.length)]
    const node = Math.floor(Math.random() * 500)
    const line = `${1.7e9 + Math.random() * 1e6} node-${node} ${verb} a file\n`
    lines.push(line)
    length += line.length
  }
  return Buffer.from(lines.join('').slice(0, bytes))
}

export function codingReport({ count, bytes, textBytes, trials }) {
  const seconds = (key) => trials.map((each) => each[key].seconds)
  const part = (key) => median(trials.map((each) => each[key].wireBytes / each[key].bytes))
  const ratio = (key, of) => median(trials.map((each) => each[key].seconds / each[of].seconds))
  const [size, text] = [bytes, textBytes].map((each) => `${each / MIB} MiB`)
  const judged = {
    patch: judge(`${size}, a patch`, wanted.patch, { 'moved of all': part('patch') }),
    zstd: judge(`${text} of text, zstd`, wanted.zstd, { 'of whole': ratio('zstd', 'plain') }),
    auto: judge(`${text} of text, auto`, wanted.auto, { 'of whole': ratio('auto', 'plain') }),
    noise: judge(`${text} of random bytes, auto`, wanted.noise, {
      compressed: trials.filter(({ noise }) => noise.coding !== 'identity').length,
    }),
  }
  const row = (name, key, of) => ({
    ...{ name, seconds: spread(seconds(key)), moved: part(key), ratio: ratio(key, of) },
    ...judged[key],
  })
  return {
    suite: 'coding',
    title: `to ${count} nodes, ${trials.length} rounds`,
    columns: [
      { key: 'name', title: 'push' },
      { key: 'seconds', title: 'seconds' },
      { key: 'moved', title: 'moved of all', digits: 3 },
      { key: 'ratio', title: 'of whole' },
      { key: 'wanted', title: 'wanted' },
      { key: 'met', title: 'met' },
    ],
    rows: [
      row(`${size} of bfloat16, whole`, 'whole', 'whole'),
      row('1 % nudged, a patch', 'patch', 'whole'),
      row(`${text} of text over 100 Mbit/s`, 'plain', 'plain'),
      row('--compress zstd', 'zstd', 'plain'),
      row('--compress auto', 'auto', 'plain'),
      row('random bytes, --compress auto', 'noise', 'plain'),
    ],
    isJudged: true,
    missed: Object.values(judged).flatMap(({ missed }) => missed),
    notes: [],
  }
}
