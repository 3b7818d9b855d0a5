/** Options of the FTP door of a node. */
import type { Command as Commander } from 'commander'
import { parseAddress } from '../arguments/addresses.js'
import { UsageError } from '../render/units.js'
import type { DoorWish } from './door.js'
import { checked, given, type Values } from './options.js'

export interface FtpWish {
  readonly listen: string
  readonly ports?: string
  readonly tokens?: string
  readonly leastBytesPerSecond?: number
  readonly uploads?: boolean
  readonly where?: string
  readonly certificate?: { readonly cert: string; readonly key: string }
}

export function addFtp(command: Commander): void {
  command
    .option(
      '--ftp <host:port>',
      'open an FTP door here, for programs (docs/ftp.md); port 0 picks a free one',
      checked((text) => ftpAddress(text)),
    )
    .option('--ftp-ports <from-to>', 'ports of its passive data connections (default: free ones)')
    .option(
      '--ftp-tokens <file>',
      'who may do what there, as --http-tokens, which is the default; a password is a token',
    )
    .option(
      '--ftp-cert <file>',
      'its certificate for AUTH TLS, with --ftp-key; default: --http-cert and --http-key',
    )
    .option('--ftp-key <file>', 'its private key; both are read again on change')
    .option('--ftp-upload', 'take files in, of who has the right push (default: read only)')
    .option('--ftp-where <criteria>', 'publish these by criteria, as fr publish --where')
}

/** Port 21 is for those who say so. */
function ftpAddress(text: string): string {
  if (!/:\d+$/.test(text)) throw new UsageError(`'${text}' is not HOST:PORT`)
  return parseAddress(text, 0)
}

/** Undefined: none is wanted. Throws UsageError. */
export function ftpOf(options: Values, door: DoorWish | undefined): FtpWish | undefined {
  const { ftp: listen, ftpPorts: ports, ftpCert: cert, ftpKey: key } = options
  const { ftpTokens: tokens = door?.tokens, httpLeastRate: leastBytesPerSecond } = options
  const { ftpUpload: uploads, ftpWhere: where } = options
  if (listen === undefined) {
    if ([ports, cert, key, options['ftpTokens'], uploads, where].some((wish) => wish !== undefined))
      throw new UsageError('options that begin with --ftp- are for --ftp')
    return undefined
  }
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError('--ftp-cert and --ftp-key belong together')
  if (where !== undefined && uploads !== true)
    throw new UsageError('--ftp-where is for --ftp-upload')
  const certificate = cert === undefined ? door?.https : { cert, key }
  return { listen, ...given({ ports, tokens, leastBytesPerSecond, certificate, uploads, where }) }
}
