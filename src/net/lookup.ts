/**
 * One look-up of a host name by the system: /etc/hosts, DNS, whatever nsswitch.conf says.
 *
 * getaddrinfo cannot be cancelled. In this process it would hold one of the two threads that libuv
 * uses for names, and the process could not end before it, because exit joins the pool. So it runs
 * in `getent`, a process of a few milliseconds that can be killed. Systems without getent, or
 * that let this process start no other, use this process.
 */
import { type ExecFileException, execFile } from 'node:child_process'
import { lookup as dnsLookup } from 'node:dns'
import { KIB } from '../base/limits.js'
import { isIp } from './address.js'

/**
 * Calls back once, later, with the IP addresses of the host in the order of preference; empty, or
 * an error, when there are none. Returns a function that cancels the look-up.
 */
export type HostLookup = (
  host: string,
  callback: (error: NodeJS.ErrnoException | null, addresses: readonly string[]) => void,
) => () => void

/** Exit status of getent for an unknown name. */
const unknownName = 2

export const systemLookup: HostLookup = (host, callback) => {
  let isCancelled = false
  const { FR_KEY: _, ...env } = process.env
  const options = { env, maxBuffer: 64 * KIB } as const
  const started = (error: ExecFileException | null, output: string): void => {
    if (isCancelled) return
    if (error === null) callback(null, addressesIn(output))
    else if (error.code === unknownName) callback(null, [])
    else withinProcess(host, callback)
  }
  try {
    const child = execFile('getent', ['ahosts', host], options, started)
    return () => {
      isCancelled = true
      child.kill('SIGKILL')
    }
  } catch {
    // Node throws some errors (EPERM of a system call filter), and gives others to the callback.
    return withinProcess(host, callback)
  }
}

/** Cancelling it does not stop the look-up. */
export const withinProcess: HostLookup = (host, callback) => {
  dnsLookup(host, { all: true, verbatim: true }, (error, found = []) =>
    callback(
      error,
      found.map(({ address }) => address),
    ),
  )
  return () => {}
}

/** A line has an address and a socket type; the first line also has the name. */
function addressesIn(output: string): string[] {
  const words = output.split('\n').map((line) => line.split(/\s/, 1)[0] ?? '')
  return words.filter(isIp)
}
