/**
 * One look-up of a host name by the system: /etc/hosts, DNS, whatever nsswitch.conf says.
 *
 * The idea: getaddrinfo cannot be cancelled. In this process it would hold a thread of libuv's
 * pool, of which only two look names up, and the process could not end before it (exit joins the
 * pool). So it runs in `getent`, a process of a few milliseconds that can be killed. Where there is
 * no getent it runs in this process after all.
 */
import { execFile } from 'node:child_process'
import { lookup as dnsLookup } from 'node:dns'
import { KIB } from '../base/limits.js'
import { isIp } from './address.js'

/**
 * Calls back once, later, with the IP addresses of the host in the order of preference; empty, or
 * an error, when there is none. Gives what cancels the look-up.
 */
export type HostLookup = (
  host: string,
  callback: (error: NodeJS.ErrnoException | null, addresses: readonly string[]) => void,
) => () => void

/** What getent exits with when it knows no such name. */
const unknownName = 2

export const systemLookup: HostLookup = (host, callback) => {
  let isCancelled = false
  const { FR_KEY: _, ...env } = process.env
  const options = { env, maxBuffer: 64 * KIB } as const
  const child = execFile('getent', ['ahosts', host], options, (error, output) => {
    if (isCancelled) return
    if (error === null) callback(null, addressesIn(output))
    else if (error.code === unknownName) callback(null, [])
    else withinProcess(host, callback)
  })
  return () => {
    isCancelled = true
    child.kill('SIGKILL')
  }
}

/** Its look-up goes on when it is cancelled. */
export const withinProcess: HostLookup = (host, callback) => {
  dnsLookup(host, { all: true, verbatim: true }, (error, found = []) =>
    callback(
      error,
      found.map(({ address }) => address),
    ),
  )
  return () => {}
}

/** A line is an address, the type of a socket, and for the first the name. */
function addressesIn(output: string): string[] {
  const words = output.split('\n').map((line) => line.split(/\s/, 1)[0] ?? '')
  return words.filter(isIp)
}
