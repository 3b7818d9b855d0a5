/**
 * Third-party programs that the benches run: whether they are installed, when they are ready, how
 * they ended. They are started in a workspace, so that none outlives it.
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'

export const listenMs = 10_000

/** A loopback port that was free a moment ago, for programs that cannot pick one and report it. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  server.close()
  await once(server, 'close')
  return port
}

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
