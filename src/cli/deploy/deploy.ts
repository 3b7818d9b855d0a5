/**
 * Puts this package on a machine and starts a node there, or ends it: a few commands over ssh, and
 * nothing that needs more rights than the user has. Everything is below one directory:
 *
 *     DIR/packages/ID        the package, and Node where it goes along, unpacked
 *     DIR/PORT/data          what the node holds
 *     DIR/PORT/package       the ID that it runs
 *     DIR/PORT/node.pid, node.log, fr.key
 */
import { formatAddress } from '../../api/address.js'
import { fetchStatus } from '../../api/status.js'
import type { StatusOptions } from '../../api/types.js'
import { FrError } from '../../base/errors.js'
import { failureText } from '../render/failures.js'
import { shellQuoted } from '../render/text.js'
import { type Bundle, mainPath, nodePath } from './bundle.js'
import type { Ran, Remote } from './remote.js'

/** The oldest Node that runs it, as in package.json. */
const nodeMajor = 20
/** Seconds that a node has to end by itself, and to answer after its start. */
const stopSeconds = 20
const answerMs = 30_000
const askMs = 500

export interface DeployPlan {
  /** Absolute, or below the home directory there. */
  readonly dir: string
  readonly port: number
  /** Absolute; null: below `dir`. */
  readonly data: string | null
  /** The text of the key file. */
  readonly key: Uint8Array
  readonly nodeArgs: readonly string[]
  readonly bundle: Bundle
}

export interface Deployed {
  readonly event: 'deployed'
  readonly host: string
  /** HOST:PORT, where the node answers. */
  readonly node: string
  readonly version: string
  /** False: the package was there already. */
  readonly isSent: boolean
}

/** Rejects with ERR_FR_UNREACHABLE and the reason: ssh, the machine, or the node on it. */
export async function deploy(
  remote: Remote,
  host: string,
  plan: DeployPlan,
  asked: Pick<StatusOptions, 'key' | 'tls'> & { readonly signal: AbortSignal },
): Promise<Deployed> {
  const { bundle, port, key } = plan
  const there = `${below(plan.dir)}/packages/${bundle.id}`
  const known = await ran(remote, host, `test -e ${there}/complete && echo known || echo lacks`)
  const isSent = known.stdout.trim() === 'lacks'
  if (isSent) await ran(remote, host, unpack(there), { path: bundle.path })
  await ran(remote, host, nodeCheck(there))
  const own = `${below(plan.dir)}/${port}`
  const held = `${own}/fr.key`
  const take = `umask 077; mkdir -p ${own}; cat > ${held}.new; mv ${held}.new ${held}`
  await ran(remote, host, take, { bytes: key })
  await ran(remote, host, `${stopScript(own)}\n${startScript(there, own, plan)}`)
  const address = formatAddress({ host: await remote.hostName(), port })
  const version = await answering(address, asked).catch(async (error: unknown) => {
    const log = await remote.run(`tail -n 5 ${own}/node.log`)
    const said = log.stdout.trim()
    if (said === '' || asked.signal.aborted) throw error
    throw new FrError('ERR_FR_UNREACHABLE', `${failureText(error)}; its log ends: ${said}`)
  })
  await remote.run(tidyScript(below(plan.dir)))
  return { event: 'deployed', host, node: address, version, isSent }
}

export interface Stopped {
  readonly event: 'stopped'
  readonly host: string
  /** False: none ran. */
  readonly hasRun: boolean
}

export async function stop(
  remote: Remote,
  host: string,
  { dir, port }: Pick<DeployPlan, 'dir' | 'port'>,
): Promise<Stopped> {
  const { stdout } = await ran(remote, host, stopScript(`${below(dir)}/${port}`))
  return { event: 'stopped', host, hasRun: stdout.includes('stopped') }
}

/** Quoted, and a relative one is below the home directory. */
function below(dir: string): string {
  return dir.startsWith('/') ? shellQuoted(dir) : `"$HOME"/${shellQuoted(dir)}`
}

async function ran(
  remote: Remote,
  host: string,
  script: string,
  input?: { path: string } | { bytes: Uint8Array },
): Promise<Ran> {
  const result = await remote.run(`set -eu\n${script}`, input)
  if (result.status === 0) return result
  const said = result.stderr.trim().split('\n').slice(-3).join('; ')
  const why = said || `exit status ${result.status}`
  throw new FrError('ERR_FR_UNREACHABLE', `${host}: ${why}`)
}

/**
 * Whole or not at all, also where two do it at once: a directory is never renamed over one in which
 * something is, so the first one stays, from which a node may run by now.
 */
function unpack(there: string): string {
  return `new=${there}.$$
mkdir -p "$new"
trap 'rm -rf "$new"' EXIT
tar -xzf - -C "$new"
touch "$new"/complete
mv -T "$new" ${there} 2>/dev/null || test -e ${there}/complete`
}

/** Sets `node`: what came along, else that of the machine, if it is new enough. */
function findNode(there: string): string {
  const enough = `process.exit(parseInt(process.versions.node) >= ${nodeMajor} ? 0 : 1)`
  return `node=${there}/${nodePath}
test -x "$node" || node=$(command -v node || true)
if test -z "$node" || ! "$node" -e ${shellQuoted(enough)} 2>/dev/null; then
  echo 'Node ${nodeMajor} or later is not installed there (--with-node takes this one along)' >&2
  exit 3
fi`
}

function nodeCheck(there: string): string {
  return `${findNode(there)}\n"$node" ${there}/${mainPath} --version`
}

/** Only a process that is a node of this directory: a process id may be somebody else's by now. */
function stopScript(own: string): string {
  return `pid=$(cat ${own}/node.pid 2>/dev/null || true)
runs() {
  test -n "$pid" &&
    tr '\\0' '\\n' < /proc/"$pid"/environ 2>/dev/null | grep -qxF -e FR_DEPLOYED=${own}/node.log
}
if runs; then
  kill "$pid"
  for _ in $(seq ${stopSeconds}0); do runs || break; sleep 0.1; done
  if runs; then echo "the node (process $pid) does not end" >&2; exit 4; fi
  echo stopped
fi
rm -f ${own}/node.pid`
}

/** By FR_DEPLOYED in its environment the process is known later. */
function startScript(
  there: string,
  own: string,
  { port, data, nodeArgs, bundle }: DeployPlan,
): string {
  const given = nodeArgs.map((arg) => ` ${shellQuoted(arg)}`).join('')
  const folder = data === null ? `${own}/data` : shellQuoted(data)
  return `${findNode(there)}
mkdir -p ${own} ${folder}
echo ${bundle.id} > ${own}/package
export FR_DEPLOYED=${own}/node.log
setsid "$node" ${there}/${mainPath} node --listen 0.0.0.0:${port} --data ${folder} \\
  --key-file ${own}/fr.key --log-format json${given} > ${own}/node.log 2>&1 < /dev/null &
pid=$!
echo "$pid" > ${own}/node.pid
sleep 1
kill -0 "$pid" 2>/dev/null || { tail -n 3 ${own}/node.log >&2; exit 5; }`
}

/** Packages that no node runs, and that nobody has just sent. */
function tidyScript(dir: string): string {
  return `cd ${dir}
find packages -mindepth 2 -maxdepth 2 -name complete -mmin +60 | while read -r complete; do
  id=$(basename "$(dirname "$complete")")
  cat */package | grep -qx "$id" || rm -rf packages/"$id"
done`
}

async function answering(
  address: string,
  asked: Pick<StatusOptions, 'key' | 'tls'> & { readonly signal: AbortSignal },
): Promise<string> {
  const end = performance.now() + answerMs
  for (;;) {
    try {
      return (await fetchStatus(address, asked)).version
    } catch (error) {
      asked.signal.throwIfAborted()
      const isLate = performance.now() > end
      if (isLate || !(error instanceof FrError) || error.code !== 'ERR_FR_UNREACHABLE') throw error
      await new Promise((resolve) => setTimeout(resolve, askMs))
    }
  }
}
