/**
 * Other systems in the same network, if they are installed: a chain of mbuffer, rsync and nginx +
 * curl straight from the origin, uftp (multicast), aria2 (a BitTorrent swarm).
 *
 * A peer is `{ name, missing(), run({ workspace, lab, source, scenario }) }`. `run` starts the
 * listeners, then the clock, and resolves to `{ seconds, cpuSeconds, busySeconds, copies }`: the
 * seconds until every node has the file, the CPU seconds of all processes and those of the whole
 * machine meanwhile, the paths of the copies.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { busySeconds, endedChildrenCpuSeconds } from '../machine.mjs'
import { listenMs, missing, startNginx, untilListening } from '../programs.mjs'
import { until } from '../running.mjs'
import { doneHook, swarmArguments } from '../swarm.mjs'
import { makeTorrent } from '../torrent.mjs'
import { root } from '../workspace.mjs'

const finishMs = 300_000

/** Starts programs on a host with an empty standard output. */
function starter({ workspace, lab }) {
  return (host, program, args, options = {}) =>
    workspace.start(program, args.map(String), {
      prefix: lab.prefix(host),
      stdio: ['ignore', 'ignore', 'pipe'],
      ...options,
    })
}

const nodeHosts = (lab) => Array.from({ length: lab.size - 1 }, (_, at) => at + 1)

/** Runs the timed part, stops the listeners, and adds up CPU time. */
async function timed({ workspace, servers, copies }, transfer) {
  const cpuBefore = endedChildrenCpuSeconds()
  const busyBefore = busySeconds()
  const start = performance.now()
  await transfer()
  const seconds = (performance.now() - start) / 1000
  const busy = busySeconds() - busyBefore
  await workspace.stop(servers)
  const cpuSeconds = endedChildrenCpuSeconds() - cpuBefore
  return { seconds, cpuSeconds, busySeconds: busy, copies }
}

async function runMbuffer(context) {
  const { workspace, lab, source } = context
  const start = starter(context)
  const port = 7500
  const chain = []
  const copies = nodeHosts(lab).map((host) => workspace.path(`copy-${host}`))
  for (const host of nodeHosts(lab).reverse()) {
    const next = host === lab.size - 1 ? [] : ['-O', `${lab.address(host + 1)}:${port}`]
    const args = ['-q', '-m', '16M', '-I', port, '-o', copies[host - 1], ...next]
    const child = start(host, 'mbuffer', args)
    chain.push(child)
    await untilListening(child, port)
  }
  return timed({ workspace, servers: [], copies }, async () => {
    const args = ['-q', '-m', '16M', '-i', source, '-O', `${lab.address(1)}:${port}`]
    await Promise.all(
      [start(0, 'mbuffer', args), ...chain].map((child) => child.succeed('mbuffer')),
    )
  })
}

async function runRsync(context) {
  const { workspace, lab, source } = context
  const start = starter(context)
  const port = 7501
  const servers = []
  const copies = []
  for (const host of nodeHosts(lab)) {
    const data = workspace.makeDirectory(`rsync-${host}`)
    const config = workspace.path(`rsync-${host}.conf`)
    const lines = [
      'use chroot = no',
      'uid = 0',
      'gid = 0',
      '[data]',
      `path = ${data}`,
      'read only = no',
    ]
    writeFileSync(config, `${lines.join('\n')}\n`)
    const args = ['--daemon', '--no-detach', `--config=${config}`, `--port=${port}`]
    servers.push(start(host, 'rsync', args))
    copies.push(path.join(data, 'copy'))
    await untilListening(servers.at(-1), port)
  }
  return timed({ workspace, servers, copies }, async () => {
    const clients = nodeHosts(lab).map((host) =>
      start(0, 'rsync', ['--whole-file', source, `rsync://${lab.address(host)}:${port}/data/copy`]),
    )
    await Promise.all(clients.map((client) => client.succeed('rsync')))
  })
}

/** `then`: a program that every node runs over its copy, once it has it. */
async function runNginx(context, then) {
  const { workspace, lab, source } = context
  const start = starter(context)
  const port = 7502
  const server = await startNginx(workspace, {
    start: (...args) => start(0, ...args),
    listen: `${port}`,
    directory: path.dirname(source),
  })
  const copies = nodeHosts(lab).map((host) => workspace.path(`copy-${host}`))
  return timed({ workspace, servers: [server], copies }, async () => {
    const url = `http://${lab.address(0)}:${port}/${path.basename(source)}`
    const clients = copies.map(async (copy, at) => {
      await start(at + 1, 'curl', ['-sSf', '-o', copy, url]).succeed('curl')
      if (then !== undefined) await start(at + 1, then, [copy]).succeed(then)
    })
    await Promise.all(clients)
  })
}

/** uftp needs a fixed rate: 93 % of the slowest link on the way. */
async function runUftp(context) {
  const { workspace, lab, source, scenario } = context
  const start = starter(context)
  const [origin, ...nodes] = scenario.hosts
  const mbit = Math.min(origin.upMbit, ...nodes.map((node) => node.downMbit)) * 0.93
  for (let host = 0; host < lab.size; host++) {
    const [program, ...args] = [
      ...lab.prefix(host),
      'ip',
      'route',
      'add',
      '224.0.0.0/4',
      'dev',
      'eth0',
    ]
    spawnSync(program, args)
  }
  const copies = []
  const servers = nodeHosts(lab).map((host) => {
    const data = workspace.makeDirectory(`uftp-${host}`)
    copies.push(path.join(data, path.basename(source)))
    return start(host, 'uftpd', ['-d', '-I', 'eth0', '-D', data, '-B', 4 << 20, '-t'])
  })
  await sleep(500) // it has no way to say that it is ready
  return timed({ workspace, servers, copies }, async () => {
    const args = [
      '-R',
      Math.round(mbit * 1000),
      '-r',
      '0.02:0.02:1',
      '-I',
      'eth0',
      '-B',
      4 << 20,
      source,
    ]
    await start(0, 'uftp', args).succeed('uftp')
    await until(() => copies.every((copy) => existsSync(copy)), 'uftp to publish', listenMs)
  })
}

async function runAria2(context) {
  const { workspace, lab, source } = context
  const start = starter(context)
  const port = 7503
  const torrent = workspace.path('file.torrent')
  writeFileSync(torrent, makeTorrent(source, `http://${lab.address(0)}:${port}/announce`))
  const hook = doneHook(workspace)
  const tracker = start(0, process.execPath, [path.join(root, 'bench/torrent.mjs'), port])
  await untilListening(tracker, port)
  const common = [...swarmArguments, '--listen-port=6881']
  const seeding = [`--dir=${path.dirname(source)}`, '--check-integrity=true', torrent]
  const seeder = start(0, 'aria2c', [...common, ...seeding])
  await untilListening(seeder, 6881)
  const hosts = nodeHosts(lab)
  const done = hosts.map((host) => workspace.path(`done-${host}`))
  const copies = hosts.map((host) =>
    path.join(workspace.makeDirectory(`aria2-${host}`), path.basename(source)),
  )
  const servers = [tracker, seeder]
  return timed({ workspace, servers, copies }, async () => {
    for (const [at, host] of hosts.entries()) {
      const args = [
        `--dir=${path.dirname(copies[at])}`,
        `--on-bt-download-complete=${hook}`,
        torrent,
      ]
      const env = { DONE_FILE: done[at] }
      servers.push(start(host, 'aria2c', [...common, ...args], { env }))
    }
    await until(() => done.every((file) => existsSync(file)), 'aria2', finishMs, 10)
  })
}

export const peers = [
  { name: 'mbuffer', missing: () => missing('mbuffer'), run: runMbuffer },
  { name: 'rsync', missing: () => missing('rsync'), run: runRsync },
  { name: 'nginx', missing: () => missing('nginx', 'curl'), run: (context) => runNginx(context) },
  { name: 'uftp', missing: () => missing('uftp', 'uftpd'), run: runUftp },
  { name: 'aria2', missing: () => missing('aria2c'), run: runAria2 },
]

/** A plain copy that is verified as `fr push --digest blake3` verifies. */
export const nginxThenBlake3 = {
  name: 'nginx, b3sum',
  missing: () => missing('nginx', 'curl', 'b3sum'),
  run: (context) => runNginx(context, 'b3sum'),
}
