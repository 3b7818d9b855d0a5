/**
 * Third-party programs that the benches run: whether they are installed, when they are ready, how
 * they ended. They are started in a workspace, so that none outlives it.
 */
import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'

export const listenMs = 10_000

/** Of ports that are bound without a number: Linux gives nobody one below the first of them. */
const givenFile = '/proc/sys/net/ipv4/ip_local_port_range'
const leastPort = 10_000
/** Processes that run at the same time seldom look in the same part of them. */
const parts = 64
let tries = randomInt(2 ** 16)

/**
 * A loopback port that is free, for programs that cannot pick one and report it, or that are to
 * listen there again later: no connection, and no other program, is given it by the system.
 */
export async function freePort() {
  const firstGiven = Number(readFileSync(givenFile, 'utf8').split(/\s/)[0])
  const size = Math.floor((Math.max(20_000, firstGiven) - leastPort) / parts)
  for (;;) {
    const port = leastPort + (process.pid % parts) * size + (tries++ % size)
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    server.close()
    if (isFree) return port
  }
}

/** Where a node listens that may be started again at the same place. */
export const freeAddress = async () => `127.0.0.1:${await freePort()}`

/** Names of missing programs as the text of a cell; null when all are there. */
export function missing(...programs) {
  const found = (program) =>
    spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined
  const absent = programs.filter((program) => !found(program))
  return absent.length === 0 ? null : `not installed: ${absent.join(', ')}`
}

/** True when a process of this host listens on the TCP port. `child` is any process of the host. */
function listens(child, port) {
  if (!existsSync(`/proc/${child.pid}/net/tcp6`)) return false // it is ending
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')} `
  const text = ['tcp', 'tcp6'].map((name) => readFileSync(`/proc/${child.pid}/net/${name}`, 'utf8'))
  return text
    .join('')
    .split('\n')
    .some((line) => {
      const [, local, , state] = line.trim().split(/\s+/)
      return state === '0A' && `${local} `.endsWith(wanted)
    })
}

export const untilListening = (running, port) =>
  running.until(`port ${port}`, () => listens(running.child, port), listenMs)

/**
 * Resolves to a web server for one directory once it listens. `listen` is its port, optionally with
 * an address; `start(program, args)` starts it.
 */
export async function startNginx(workspace, { start, listen, directory }) {
  const config = workspace.path('nginx.conf')
  const home = workspace.makeDirectory('nginx')
  // Its default account may not read this user's files.
  writeFileSync(
    config,
    `user root; daemon off; master_process off; pid ${home}/pid; error_log ${home}/error.log;
     events { } http { access_log off; sendfile on; sendfile_max_chunk 2m;
       client_body_temp_path ${home}; proxy_temp_path ${home}; fastcgi_temp_path ${home};
       uwsgi_temp_path ${home}; scgi_temp_path ${home};
       server { listen ${listen}; root ${directory}; } }`,
  )
  const server = start('nginx', ['-c', config, '-p', home])
  await untilListening(server, Number(listen.split(':').at(-1)))
  return server
}
