/**
 * Files over HTTP: the door of a node beside nginx, in turns, on loopback, from the same files in
 * memory. Readers are several `curl`, which throw away what they get. Both servers may use all
 * processors; what the readers cost is neither's.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpuSeconds } from './machine.mjs'
import { freePort } from './programs.mjs'
import { median } from './report.mjs'
import { until } from './running.mjs'
import { judge } from './wanted.mjs'
import { MIB, main, Obstacle, push, Workspace } from './workspace.mjs'

const readers = 4
/** Of nginx, in the same run. */
const wanted = { 'of its throughput': { atLeast: 0.95 }, 'of its CPU': 1.15 }

/** What each reader asks for on one connection: so many files of this size. */
const loads = ({ quick }) => [
  { name: 'large', bytes: (quick ? 8 : 512) * MIB, files: 1, wanted },
  { name: 'small', bytes: MIB, files: quick ? 8 : 256 },
  { name: 'encrypted', bytes: (quick ? 8 : 256) * MIB, files: 1, scheme: 'https' },
]

const textOf = ({ bytes, files, scheme = 'http' }) => `${files} x ${bytes / MIB} MiB, ${scheme}`

/** All processes of a server: nginx has one for each processor. */
function cpuOf({ child: { pid } }) {
  const workers = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
  )
  return [pid, ...workers].reduce((sum, each) => sum + cpuSeconds(each), 0)
}

async function startNginx(workspace, data, { cert, key }) {
  const { directory } = workspace
  const socket = workspace.path('nginx.sock')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const file = workspace.path('nginx.conf')
  writeFileSync(
    file,
    `daemon off; worker_processes auto; error_log stderr error; pid ${workspace.path('pid')};
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events {}
    http {
      access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000;
      ${temporary.map((name) => `${name}_temp_path ${workspace.path(name)};`).join('\n')}
      server {
        listen 127.0.0.1:${await freePort()}; listen unix:${socket}; root ${data};
        listen 127.0.0.1:${await freePort()} ssl;
        ssl_certificate ${cert}; ssl_certificate_key ${key};
      }
    }`,
  )
  const nginx = workspace.start('nginx', ['-p', directory, '-c', file, '-e', 'stderr'])
  const asked = ['-s', '-o', '/dev/null', '--unix-socket', socket, 'http://localhost/large']
  const isUp = async () => (await workspace.collect('curl', asked)).status === 0
  await until(isUp, `nginx answers: ${nginx.stderr}`)
  const ports = readFileSync(file, 'utf8').matchAll(/listen 127\.0\.0\.1:(\d+)/g)
  const [http, https] = [...ports].map(([, port]) => `127.0.0.1:${port}`)
  return { http: at(nginx, `http://${http}`), https: at(nginx, `https://${https}`) }
}

const at = (running, origin) => ({ running, origin })

/** A certificate of an authority that is made for it. */
async function certificate(workspace) {
  const ca = workspace.path('ca')
  for (const args of [
    ['init', ca],
    ['issue', 'localhost', '--dir', ca],
  ]) {
    const done = await workspace.collect(process.execPath, [main, 'ca', ...args])
    if (done.status !== 0) throw new Error(`fr ca: ${done.stderr}`)
  }
  return { cert: `${ca}/localhost.crt`, key: `${ca}/localhost.key` }
}

async function trial(workspace, { running, origin }, { name, bytes, files }) {
  const url = `${origin}/${name}`
  const args = ['-s', '-f', '-k', '-o', '/dev/null', `${url}?[1-${files}]`]
  const before = cpuOf(running)
  const fromMs = performance.now()
  const ended = await Promise.all(
    Array.from({ length: readers }, () => workspace.collect('curl', args)),
  )
  const seconds = (performance.now() - fromMs) / 1000
  const spent = cpuOf(running) - before
  for (const { status } of ended) if (status !== 0) throw new Error(`curl ${url}: ${status}`)
  const gigabytes = (readers * files * bytes) / 1e9
  return { rate: gigabytes / seconds, perGB: spent / gigabytes }
}

export const serve = {
  name: 'serve',
  about: 'files over HTTP beside nginx, in turns, on loopback (nginx, curl)',
  async run({ quick, rounds = quick ? 1 : 7, say }) {
    const all = loads({ quick })
    const workspace = new Workspace(3 * all.reduce((sum, { bytes }) => sum + bytes, 0) + MIB)
    const trials = new Map()
    let nginx
    try {
      for (const tool of ['nginx', 'curl'])
        if ((await workspace.collect(tool, ['-V'])).status !== 0)
          throw new Obstacle(`needs ${tool}`)
      const pair = await certificate(workspace)
      const args = ['--log-level', 'error', '--http', '127.0.0.1:0']
      const tls = ['--http-cert', pair.cert, '--http-key', pair.key]
      const node = await workspace.startNode({ name: 'node', args })
      const encrypting = await workspace.startNode({ name: 'encrypting', args: [...args, ...tls] })
      for (const { name, bytes, scheme } of all) {
        const source = await workspace.randomFile(name, bytes)
        const nodes = scheme === 'https' ? [node, encrypting] : [node]
        const done = await push(workspace, { source, nodes })
        if (done.exitStatus !== 0) throw new Error(`fr push: ${done.errorText}`)
        workspace.remove(name)
      }
      nginx = await startNginx(workspace, node.data, pair)
      const own = {
        http: at(node, `http://${node.lines[0].http}/files`),
        https: at(encrypting, `https://${encrypting.lines[0].http}/files`),
      }
      for (let round = 0; round <= rounds; round++)
        for (const load of all)
          for (const [server, doors] of Object.entries({ 'fr node': own, nginx })) {
            const done = await trial(workspace, doors[load.scheme ?? 'http'], load)
            const key = `${load.name} ${server}`
            say(`${key}, round ${round}: ${done.rate.toFixed(2)} GB/s`)
            if (round > 0) trials.set(key, [...(trials.get(key) ?? []), done])
          }
    } finally {
      // Its workers end with it alone where it is told to end.
      await nginx?.http.running.stop()
      await workspace.close()
    }
    return report(all, rounds, trials, quick)
  },
}

function report(all, rounds, trials, quick) {
  const missed = []
  const rows = all.flatMap((load) => {
    const of = (server, key) =>
      median((trials.get(`${load.name} ${server}`) ?? []).map((one) => one[key]))
    const ratios = {
      'of its throughput': of('fr node', 'rate') / of('nginx', 'rate'),
      'of its CPU': of('fr node', 'perGB') / of('nginx', 'perGB'),
    }
    const verdict = quick ? {} : judge(textOf(load), load.wanted, ratios)
    missed.push(...(verdict.missed ?? []))
    return ['fr node', 'nginx'].map((server) => ({
      name: `${textOf(load)}, ${server}`,
      rate: of(server, 'rate'),
      perGB: of(server, 'perGB'),
      ...(server === 'fr node' && {
        throughput: ratios['of its throughput'],
        cpu: ratios['of its CPU'],
        wanted: verdict.wanted,
        met: verdict.met,
      }),
    }))
  })
  return {
    suite: 'serve',
    title: `${readers} readers, loopback, ${rounds} rounds in turns`,
    columns: [
      { key: 'name', title: 'each reader' },
      { key: 'rate', title: 'GB/s' },
      { key: 'perGB', title: 'CPU-s/GB' },
      { key: 'throughput', title: "of nginx's throughput" },
      { key: 'cpu', title: 'of its CPU' },
      { key: 'wanted', title: 'wanted' },
      { key: 'met', title: 'met' },
    ],
    rows,
    isJudged: !quick,
    ...(!quick && { missed }),
    notes: ['CPU is that of the server alone, as the system charges it; CPU wanted: <= 1.15'],
  }
}
