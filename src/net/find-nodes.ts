/**
 * Nodes that are found by a name of DNS: SRV records (RFC 2782) of the service `fr`, else the
 * addresses of the name, as a headless service of Kubernetes has them.
 */
import { promises as dns } from 'node:dns'
import { formatAddress } from '../base/addresses.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { type HostLookup, systemLookup } from './lookup.js'

export interface FindOptions {
  /** With it only addresses are asked for: SRV records have ports of their own. */
  readonly port?: number
  readonly signal?: AbortSignal
  /** For A and AAAA; the system's by default, which knows /etc/hosts and search domains. */
  readonly lookup?: HostLookup
}

/** Service and protocol of SRV records; a name that begins with `_` has its own. */
const service = '_fr._tcp.'
const srvMs = 2_000
const srvTries = 2

/**
 * HOST:PORT of each node, each once, the smallest priority of SRV first. Of a name with both kinds
 * of addresses only the IPv4 ones, as each node most often has one of each. Rejects with
 * ERR_FR_UNREACHABLE, ERR_FR_LIMIT, or the reason of the signal.
 */
export async function findNodes(name: string, options: FindOptions = {}): Promise<string[]> {
  const { port, signal } = options
  const found = port === undefined ? await servicesOf(name, signal) : []
  signal?.throwIfAborted()
  const isService = name.startsWith('_')
  const all = found.length > 0 || isService ? found : await addressesOf(name, options)
  signal?.throwIfAborted()
  if (all.length === 0) {
    const lacks = isService ? 'no SRV record' : 'neither SRV records nor addresses'
    throw new FrError('ERR_FR_UNREACHABLE', `the name ${name} has ${lacks}`)
  }
  if (all.length > limits.nodesPerPush)
    throw new FrError('ERR_FR_LIMIT', `${name} names more than ${limits.nodesPerPush} nodes`)
  return [...new Set(all)]
}

/** Empty where there is none, and where nobody answers: addresses may be known all the same. */
async function servicesOf(name: string, signal: AbortSignal | undefined): Promise<string[]> {
  const resolver = new dns.Resolver({ timeout: srvMs, tries: srvTries })
  const cancel = (): void => resolver.cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    const records = await resolver.resolveSrv(name.startsWith('_') ? name : `${service}${name}`)
    return records
      .filter((record) => record.name !== '' && record.name !== '.' && record.port > 0)
      .sort((one, other) => one.priority - other.priority || order(one.name, other.name))
      .map((record) => formatAddress({ host: record.name.replace(/\.$/, ''), port: record.port }))
  } catch {
    return []
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

function addressesOf(
  name: string,
  { port = limits.defaultPort, signal, lookup = systemLookup }: FindOptions,
): Promise<string[]> {
  return new Promise((resolve) => {
    const done = (addresses: readonly string[]): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
      const v4 = addresses.filter((address) => !address.includes(':'))
      const hosts = (v4.length > 0 ? v4 : [...addresses]).sort(order)
      resolve(hosts.map((host) => formatAddress({ host, port })))
    }
    const cancel = lookup(name, (_, addresses) => done(addresses))
    const giveUp = (): void => {
      cancel()
      done([])
    }
    const timer = setTimeout(giveUp, limits.lookupMs)
    signal?.addEventListener('abort', giveUp, { once: true })
  })
}

function order(one: string, other: string): number {
  return one.localeCompare(other, 'en', { numeric: true })
}
