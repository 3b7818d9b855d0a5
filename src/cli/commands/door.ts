/** Options of the HTTP door of a node or a master. */
import type { Command as Commander } from 'commander'
import { parseAddress } from '../arguments/addresses.js'
import { parseRate, UsageError } from '../render/units.js'
import { checked, given, listed, type Values } from './options.js'

export interface DoorWish {
  readonly listen: string
  readonly hosts?: readonly string[]
  readonly sources?: readonly string[]
  readonly tokens?: string
  readonly peers?: readonly string[]
  readonly leastBytesPerSecond?: number
  readonly origins?: readonly string[]
  readonly https?: { readonly cert: string; readonly key: string }
}

/** Of a node: files of its machine can be sent, and its own are read. */
export function addNodeDoor(command: Commander): void {
  addDoor(command)
  command
    .option(
      '--http-source <dir>',
      'what is in this directory may be sent through the door; repeat it for more',
      listed((text) => text),
    )
    .option(
      '--http-peer <host:port>',
      'a door of another node, named in NAME.meta4 (Metalink) of files that it has, too; repeat',
      listed((text) => text),
    )
    .option(
      '--http-least-rate <rate>',
      'readers of files that take less are cut off, such as 8KiB/s; default 1KiB/s',
      checked((text) => Math.ceil(parseRate(text))),
    )
}

export function addDoor(command: Commander): void {
  command
    .option(
      '--http <host:port>',
      'open an HTTP door here, for programs (docs/http.md); port 0 picks a free one',
      checked((text) => doorAddress(text)),
    )
    .option(
      '--http-tokens <file>',
      'who may do what there (docs/http.md), read again on change; default: the token of the key',
    )
    .option(
      '--http-host <name>',
      'a name by which that is reached, beside its addresses; repeat it for more',
      listed((text) => text),
    )
    .option(
      '--http-origin <url>',
      'pages of this origin (https://HOST[:PORT]) may use it from a browser; repeat it for more',
      listed((text) => text),
    )
    .option('--http-cert <file>', 'HTTPS in place of HTTP, with this certificate; with --http-key')
    .option('--http-key <file>', 'its private key; both are read again on change')
}

/** There is no port that everybody knows. */
function doorAddress(text: string): string {
  if (!/:\d+$/.test(text)) throw new UsageError(`'${text}' is not HOST:PORT`)
  return parseAddress(text, 0)
}

/** Undefined: none is wanted. Throws UsageError. */
export function doorOf(options: Values): DoorWish | undefined {
  const { http: listen, httpHost: hosts, httpSource: sources, httpPeer: peers } = options
  const { httpTokens: tokens, httpCert: cert, httpKey: key, httpOrigin: origins } = options
  const { httpLeastRate: leastBytesPerSecond } = options
  if (listen === undefined) {
    const wishes = [hosts, sources, tokens, peers, cert, key, origins, leastBytesPerSecond]
    if (wishes.some((wish) => wish !== undefined))
      throw new UsageError('options that begin with --http- are for --http')
    return undefined
  }
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError('--http-cert and --http-key belong together')
  const https = cert === undefined ? undefined : { cert, key }
  return {
    listen,
    ...given({ hosts, sources, tokens, peers, origins, leastBytesPerSecond, https }),
  }
}
