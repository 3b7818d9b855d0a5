/**
 * What a request has to be before anybody looks at what it asks: addressed to this door, and not
 * sent by a page of somebody else.
 *
 * A browser on the machine of a node reaches doors on loopback, and does what any page says. Two
 * things keep such pages out. A page whose name its owner lets point to this machine (DNS
 * rebinding) says that name in `Host`: only addresses, `localhost` and names that the door was
 * given are taken. And a page of another site that sends a form (CSRF) says so in `Origin`: what
 * changes something is taken from pages of the door itself, and from programs, which say nothing.
 */
import type { IncomingMessage } from 'node:http'
import { isIp, isLoopback, parseAddress } from '../base/addresses.js'
import { doorLimits } from '../base/door-limits.js'
import { HttpError, wrongRequest } from './problem.js'

/** In lower case, without a dot at the end. */
export type HostNames = ReadonlySet<string>

export function plainHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, '')
}

/** Throws HttpError where the request is to be refused. */
export function checkRequest(
  request: IncomingMessage,
  names: HostNames,
  origins: ReadonlySet<string>,
): void {
  const { url = '', rawHeaders } = request
  if (rawHeaders.length / 2 > doorLimits.headers)
    throw new HttpError(431, 'ERR_FR_LIMIT', `more than ${doorLimits.headers} headers`)
  if (Buffer.byteLength(url) > doorLimits.targetBytes)
    throw new HttpError(
      414,
      'ERR_FR_LIMIT',
      `a target of more than ${doorLimits.targetBytes} bytes`,
    )
  if (!url.startsWith('/')) throw wrongRequest(400, 'the target of the request is no path')
  checkHost(request, names)
  const { origin } = request.headers
  const isListed = origin !== undefined && origins.has(origin)
  if (!isSafe(request.method) && !isListed) checkOrigin(request)
}

/** Where the door was asked, as its client calls it: the guard has looked at that. */
export function originOf({ headers, socket }: IncomingMessage): string {
  return `${'encrypted' in socket ? 'https' : 'http'}://${headers.host}`
}

function checkHost({ rawHeaders, headers }: IncomingMessage, names: HostNames): void {
  const said = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host')
  if (said.length !== 1) throw wrongRequest(400, 'a request has one Host')
  const host = parseAddress(headers.host ?? '', 80)?.host
  if (host === undefined) throw wrongRequest(400, 'Host is not HOST[:PORT]')
  if (isIp(host) || isLoopback(host) || names.has(plainHost(host))) return
  throw wrongRequest(421, `this door is not known as ${host} (--http-host)`)
}

function checkOrigin({ headers }: IncomingMessage): void {
  const { origin, host } = headers
  const site = headers['sec-fetch-site']
  if (origin === undefined && (site === undefined || site === 'none' || site === 'same-origin'))
    return
  if (origin !== undefined && URL.canParse(origin)) {
    const from = new URL(origin)
    if (from.host !== '' && from.host === new URL(`${from.protocol}//${host}`).host) return
  }
  throw new HttpError(403, 'ERR_FR_RIGHT', 'a page of another site may change nothing here')
}

export function isSafe(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}
