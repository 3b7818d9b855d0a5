/**
 * A directory of fifteen nodes, on this machine and in this process: a film is published for the
 * edge nodes of one region, which fetch it from each other, and is played from one of them before
 * that one has all of it.
 *
 *   node examples/edge/run.mjs [FILM]
 *
 * Without a film ffmpeg makes one of eight seconds, and without ffmpeg it is noise. Uplinks are
 * slowed down, so that what comes can be watched.
 */
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { client, generateKey, get, publish, startNode, unpublish } from 'fastreplica'

const directory = mkdtempSync(join(tmpdir(), 'fr-edge-'))
const key = generateKey()
const criteria = 'region=eu && tier=edge'
const name = 'film.mp4'
const running = []

async function start(name, attributes, parent) {
  const where = { listen: '127.0.0.1:0', dataDir: join(directory, name) }
  const slow = { limitUpBytesPerSecond: 500_000 }
  const under = parent === undefined ? {} : { parent: parent.address }
  const node = await startNode({ ...where, ...slow, ...under, name, attributes, key })
  running.push(node)
  return node
}

/** A hub, two regions below it, six edge nodes below each; `edges` are those of the first. */
async function startNodes() {
  const hub = await start('hub', {})
  const edges = []
  for (const region of ['eu', 'us']) {
    const middle = await start(region, { region }, hub)
    for (const number of [1, 2, 3, 4, 5, 6]) {
      const site = `${region}-${number <= 3 ? 'a' : 'b'}`
      edges.push(await start(`${region}-${number}`, { region, tier: 'edge', site }, middle))
    }
  }
  return { hub, edges: edges.slice(0, 6) }
}

/** Resolves once so many nodes match: a directory takes a moment to know all that are in it. */
async function found(hub, count) {
  for (;;) {
    const told = await client.where(criteria, { via: hub.address, key })
    if (told.nodes.length === count) return told
    await pause(100)
  }
}

function makeFilm(path) {
  const [given] = process.argv.slice(2)
  if (given !== undefined) return copyFileSync(given, path)
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25:duration=8']
  const coding = ['-c:v', 'mpeg4', '-g', '25', '-b:v', '2M', '-minrate', '2M', '-maxrate', '2M']
  const options = [...coding, '-bufsize', '1M', '-movflags', '+faststart', path]
  const made = spawnSync('ffmpeg', ['-v', 'error', '-y', ...picture, ...options])
  if (made.status !== 0) writeFileSync(path, Buffer.alloc(2_000_000, 'noise'))
}

async function heldBytes({ address }) {
  for await (const { heldBytes } of client.list(address, { glob: name, key })) return heldBytes
  return 0
}

/** What ffprobe says of the film, and how much it was given by then; null: nothing. */
async function played(from) {
  const options = ['-v', 'error', '-probesize', '200000', '-show_entries', 'stream=width,height']
  const probe = spawn('ffprobe', [...options, '-of', 'csv=p=0', '-'])
  let [said, givenBytes] = ['', 0]
  const film = new Transform({
    transform(chunk, _, done) {
      givenBytes += chunk.length
      done(null, chunk)
    },
  })
  film.pipe(probe.stdin).on('error', () => {})
  probe.stdout.on('data', (part) => {
    said += part
  })
  const ended = new Promise((resolve) => {
    probe.on('error', () => resolve())
    probe.on('close', () => resolve())
  })
  const over = new AbortController()
  const attributes = { region: 'eu', tier: 'edge' }
  const reading = get(name, {
    ...{ from: [from.address], output: film, follow: true },
    ...{ attributes, key, signal: over.signal },
  })
  // Whoever has seen enough reads no more.
  const read = reading.result.then(
    () => film.end(),
    () => undefined,
  )
  await ended
  over.abort()
  await read
  return said === '' ? null : { said: said.trim(), givenBytes }
}

try {
  const film = join(directory, name)
  makeFilm(film)
  const { hub, edges } = await startNodes()
  const { nodes, asked } = await found(hub, 6)
  console.log(`${criteria}: ${nodes.length} nodes, ${asked} of ${running.length} asked`)
  const [first, second] = edges
  const published = await publish(film, { via: first.address, where: criteria, key })
  const { bytes, format, isLinear, tracks } = published
  const blocks = tracks.reduce((sum, track) => sum + track.blocks, 0)
  const order = isLinear ? 'from the front' : 'the index first'
  console.log(`published ${bytes} bytes, ${format}, ${order}, ${blocks} blocks`)
  const seen = await played(second)
  if (seen !== null) {
    const part = Math.round((100 * seen.givenBytes) / bytes)
    console.log(`ffprobe knew it by ${part} % of its bytes: ${seen.said}`)
  }
  for (let complete = 0; complete < edges.length; await pause(100)) {
    const held = await Promise.all(edges.map(heldBytes))
    complete = held.filter((each) => each === bytes).length
  }
  const others = running.filter((node) => !edges.includes(node))
  const elsewhere = await Promise.all(others.map(heldBytes))
  const strangers = elsewhere.filter((each) => each > 0).length
  console.log(`${edges.length} nodes have it, ${strangers} others have any of it`)
  await unpublish(name, { via: first.address, key })
  while ((await Promise.all(edges.map(heldBytes))).some((each) => each > 0)) await pause(100)
  console.log('unpublished: nobody has it')
} finally {
  for (const one of running.reverse()) await one.close()
  rmSync(directory, { recursive: true, force: true })
}
