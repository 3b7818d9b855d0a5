/** Network namespaces of the lab: made, listed and removed by `ip`. */
import { execFileSync, spawnSync } from 'node:child_process'

const namePattern = /^frl-([0-9a-z]+)\.[0-9a-z]+-(?:\d+|sw|rt)$/

/** Runs all lines as one batch, in one process. */
export function batch(tool, namespace, lines) {
  if (lines.length === 0) return
  const args = namespace === null ? ['-batch', '-'] : ['-n', namespace, '-batch', '-']
  const done = spawnSync(tool, args, { input: `${lines.join('\n')}\n`, encoding: 'utf8' })
  if (done.status === 0) return
  const text = done.error?.message ?? done.stderr.trim()
  throw new Error(`${tool} ${namespace ?? ''}: ${text}`)
}

export function ip(...args) {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** Makes a router of a namespace. It says nothing of its own: no redirects, no IPv6. */
export function letForward(name) {
  const v4 = '/proc/sys/net/ipv4'
  const v6 = '/proc/sys/net/ipv6/conf/all/disable_ipv6'
  const script =
    `echo 0 | tee ${v4}/conf/*/send_redirects; echo 1 >${v4}/ip_forward; ` +
    `[ ! -e ${v6} ] || echo 1 >${v6}`
  ip('netns', 'exec', name, 'sh', '-c', script)
}

export function namespaces() {
  return ip('netns', 'list')
    .split('\n')
    .map((line) => line.split(' ')[0])
    .filter((name) => namePattern.test(name))
}

function processesIn(namespace) {
  const done = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' })
  return (done.stdout ?? '').split('\n').filter(Boolean).map(Number)
}

/** Kills the processes in the namespaces and deletes them. Never throws: it runs during exit. */
export function removeNamespaces(names) {
  for (const name of names) {
    for (const pid of processesIn(name)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {}
    }
  }
  for (const name of names) spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' })
}

/** Removes labs of dead processes; returns the names of their namespaces. */
export function cleanUp() {
  const left = namespaces().filter((name) => !isAlive(parseInt(namePattern.exec(name)[1], 36)))
  removeNamespaces(left)
  return left
}
