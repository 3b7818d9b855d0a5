/**
 * Other programs that move only what has changed, each as its users run it: rsync to a daemon, and
 * zsync and casync from a web server. Indexes are made before the clock starts. Each takes
 * `(workspace, { before, after, isTree })`, files or directories, and resolves to `{ wireBytes,
 * seconds, copy }`: what went over the wire, how long it took, and where the new version is.
 */
import { cpSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { freePort, missing, startNginx, untilListening } from './programs.mjs'
import { countingDoor } from './wire.mjs'

/** Runs a client, which is told HOST:PORT, against a server through a door; then both end. */
async function counted(workspace, { server, port, run, copy }) {
  const door = await countingDoor(`127.0.0.1:${port}`)
  try {
    const start = performance.now()
    await run(door.address)
    return { seconds: (performance.now() - start) / 1000, wireBytes: door.taken(), copy }
  } finally {
    door.close()
    await workspace.stop([server])
  }
}

const slash = (directory, isTree) => (isTree ? `${directory}/` : directory)

/** How long one run of a rival may take, indexes and the transfer each. */
const rivalMs = 180_000

async function done(workspace, program, args, options = {}) {
  const running = workspace.start(program, args, options)
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    running.child.kill('SIGKILL')
  }, rivalMs)
  const status = await running.ended.finally(() => clearTimeout(timer))
  if (isLate) throw new Error(`${program}: not done within ${rivalMs / 1000} s`)
  const { stdout, stderr } = running
  const text = `${stdout}${stderr}`.trim().split('\n').at(-1)
  if (status !== 0) throw new Error(`${program}: ${status} ${text}`)
}

async function rsync(workspace, { before, after, isTree }) {
  const home = workspace.makeDirectory('rsync')
  const copy = path.join(home, 'data')
  cpSync(before, copy, { recursive: true })
  const config = workspace.path('rsync.conf')
  const owner = process.getuid?.() === 0 ? ['uid = 0', 'gid = 0'] : []
  const lines = ['use chroot = no', ...owner, '[data]', `path = ${home}`, 'read only = no']
  writeFileSync(config, `${lines.join('\n')}\n`)
  const port = await freePort()
  const args = ['--daemon', '--no-detach', `--config=${config}`, `--port=${port}`]
  const server = workspace.start('rsync', [...args, '--address=127.0.0.1'])
  await untilListening(server, port)
  // Times say nothing of files that were made a moment ago.
  const run = (address) => {
    const to = `rsync://${address}/data/data`
    const wanted = ['-a', '--ignore-times', slash(after, isTree), slash(to, isTree)]
    return done(workspace, 'rsync', wanted)
  }
  return counted(workspace, { server, port, run, copy })
}

/** A web server for what `make` has put into a directory. */
async function served(workspace, name, make) {
  const directory = workspace.makeDirectory(name)
  await make(directory)
  const port = await freePort()
  const start = (...args) => workspace.start(...args)
  const server = await startNginx(workspace, { start, listen: `127.0.0.1:${port}`, directory })
  return { server, port }
}

async function zsync(workspace, { before, after }) {
  const copy = workspace.path('zsync-copy')
  const web = await served(workspace, 'zsync', async (directory) => {
    const file = path.join(directory, 'data')
    cpSync(after, file)
    await done(workspace, 'zsyncmake', ['-u', 'data', '-o', `${file}.zsync`, file])
  })
  // Its unfinished file is where it was started, and is renamed at the end.
  const cwd = path.dirname(copy)
  const run = (address) => {
    const args = ['-q', '-i', before, '-o', copy, `http://${address}/data.zsync`]
    return done(workspace, 'zsync', args, { cwd })
  }
  return counted(workspace, { ...web, run, copy })
}

async function casync(workspace, { before, after, isTree }) {
  const copy = workspace.path('casync-copy')
  const index = isTree ? 'data.caidx' : 'data.caibx'
  const web = await served(workspace, 'casync', (directory) => {
    const store = `--store=${path.join(directory, 'store')}`
    return done(workspace, 'casync', ['make', store, path.join(directory, index), after])
  })
  const run = (address) => {
    const from = `http://${address}`
    const args = ['extract', `--store=${from}/store`, `--seed=${before}`, `${from}/${index}`, copy]
    return done(workspace, 'casync', args)
  }
  return counted(workspace, { ...web, run, copy })
}

const nothing = () => null

export const rivals = [
  { name: 'rsync', run: rsync, missing: () => missing('rsync'), unfit: nothing },
  {
    name: 'casync',
    run: casync,
    missing: () => missing('casync', 'nginx'),
    unfit: nothing,
  },
  {
    name: 'zsync',
    run: zsync,
    missing: () => missing('zsync', 'zsyncmake', 'nginx'),
    unfit: ({ isTree }) => (isTree ? 'single files alone' : null),
  },
]

/** What it took; `{ why }` where it is not installed, not made for this, or failed. */
export async function rivalTrial(rival, workspace, change) {
  const why = rival.missing() ?? rival.unfit(change)
  if (why !== null) return { why }
  // What the one before left.
  for (const name of ['rsync', 'zsync', 'casync', 'zsync-copy', 'casync-copy', 'nginx'])
    workspace.remove(name)
  try {
    return await rival.run(workspace, change)
  } catch (error) {
    return { why: `failed: ${error.message.split('\n')[0]}` }
  }
}
