/** A BitTorrent swarm of aria2 on loopback that brings a directory to others. */
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { endedChildrenCpuSeconds } from './machine.mjs'
import { freePort, untilListening } from './programs.mjs'
import { until } from './running.mjs'
import { makeTorrent } from './torrent.mjs'

const finishMs = 600_000
const tracker = path.join(import.meta.dirname, 'torrent.mjs')

/** What is the same for whoever seeds, and whoever fetches. */
export const swarmArguments = [
  ...['--enable-dht=false', '--enable-dht6=false', '--bt-enable-lpd=false', '--seed-ratio=0.0'],
  ...['--file-allocation=none', '--bt-max-peers=0', '--bt-request-peer-speed-limit=1000M'],
  ...['--bt-tracker-interval=1', '--quiet', '--no-conf'],
]

/** A hook that makes the file DONE_FILE of its environment. */
export function doneHook(workspace) {
  const hook = workspace.path('hook.sh')
  writeFileSync(hook, '#!/bin/sh\n: >"$DONE_FILE"\n')
  chmodSync(hook, 0o700)
  return hook
}

/**
 * Brings `source` into each of the directories, under its name. Timed from the start of those that
 * fetch until all have all of it; the torrent is there before, and the seeder has looked through.
 */
export async function fetchedBySwarm(workspace, source, directories) {
  const [trackerPort, seederPort, ...ports] = await freePorts(2 + directories.length)
  const torrent = workspace.path('tree.torrent')
  writeFileSync(torrent, makeTorrent(source, `http://127.0.0.1:${trackerPort}/announce`))
  const hook = doneHook(workspace)
  const done = directories.map((_, at) => workspace.path(`done-${at}`))
  for (const file of done) workspace.remove(path.basename(file))
  const cpuBefore = endedChildrenCpuSeconds()
  const tracking = workspace.start(process.execPath, [tracker, String(trackerPort)])
  await untilListening(tracking, trackerPort)
  const start = (port, args, env = {}) =>
    workspace.start('aria2c', [...swarmArguments, `--listen-port=${port}`, ...args], { env })
  const seeding = [`--dir=${path.dirname(source)}`, '--check-integrity=true', torrent]
  const running = [tracking, start(seederPort, seeding)]
  try {
    await untilListening(running.at(-1), seederPort)
    const startMs = performance.now()
    for (const [at, directory] of directories.entries()) {
      const args = [`--dir=${directory}`, `--on-bt-download-complete=${hook}`, torrent]
      running.push(start(ports[at], args, { DONE_FILE: done[at] }))
    }
    await until(() => done.every((file) => existsSync(file)), 'aria2', finishMs, 10)
    const seconds = (performance.now() - startMs) / 1000
    await workspace.stop(running.splice(0))
    return { seconds, cpuSeconds: endedChildrenCpuSeconds() - cpuBefore }
  } finally {
    await workspace.stop(running)
  }
}

async function freePorts(count) {
  const ports = new Set()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}
