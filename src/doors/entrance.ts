/** What doors have in common, whatever is spoken behind them: where they listen, and for whom. */
import type { AddressInfo, Server } from 'node:net'
import { ServerCertificate } from '../api/server-certificate.js'
import type { Credentials, FrNode, LogLine } from '../api/types.js'
import { type Address, formatAddress, isLoopback, parseAddress } from '../base/addresses.js'
import { doorLimits } from '../base/door-limits.js'
import { FrError } from '../base/errors.js'
import type { ReaderDemands } from './files/answer.js'
import { type KeyOfDoor, type Tokens, tokensOfKey } from './tokens.js'
import { tokensFile } from './tokens-file.js'

type Logger = (line: LogLine) => void

/** Throws TypeError. */
export function placeOf(listen: string): Address {
  const place = parseAddress(listen)
  if (place === null) throw new TypeError('listen must be HOST:PORT')
  return place
}

/** Throws TypeError. */
export function leastOf(said: number = doorLimits.leastBytesPerSecond): number {
  if (!Number.isSafeInteger(said) || said < 1)
    throw new TypeError('leastBytesPerSecond must be a whole number above zero')
  return said
}

/** Throws ERR_FR_OPEN where everybody could come in. */
export function reachOf(
  { key, tls, tokens }: Credentials & { readonly tokens?: string },
  { host }: Address,
): KeyOfDoor {
  const isLocal = isLoopback(host)
  const isOpen = key === undefined && tls === undefined
  if (isOpen && tokens === undefined && !isLocal)
    throw new FrError('ERR_FR_OPEN', 'without a key a door is opened on loopback only')
  return { key, isOpen, isLocal }
}

/** By the list at this path, where there is one. Rejects with ERR_FR_PEERS. */
export async function tokensFor(
  list: string | undefined,
  reach: KeyOfDoor,
  logger: Logger,
): Promise<Tokens> {
  return list === undefined ? tokensOfKey(reach) : tokensFile(list, logger)
}

/** `what`: the name of the option. Throws TypeError. */
export function certificateOf(
  files: { readonly cert: string; readonly key: string } | undefined,
  what: string,
  logger: Logger,
): ServerCertificate | undefined {
  if (files === undefined) return undefined
  const { cert, key } = files
  if (typeof cert !== 'string' || typeof key !== 'string')
    throw new TypeError(`${what} has the paths cert and key`)
  return new ServerCertificate({ cert, key }, logger)
}

export function failuresTo(logger: Logger, event: string): (error: unknown) => void {
  return (error) => {
    const text = (error as Error)?.stack ?? String(error)
    logger({ level: 'error', event, fields: { text } })
  }
}

/** What is asked of readers at a node: one that is limited itself may be slow. */
export function demandsAt(node: FrNode, leastBytesPerSecond: number): Required<ReaderDemands> {
  return { leastBytesPerSecond, isLimited: () => node.status().limits.upBytesPerSecond !== null }
}

/** Resolves to HOST:PORT. Rejects with ERR_FR_LISTEN: no such door (`a door`) can be there. */
export function listenAt(server: Server, { host, port }: Address, what: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const text = `cannot open ${what} on ${host}:${port}: ${cause.code ?? cause.message}`
      reject(new FrError('ERR_FR_LISTEN', text, { cause }))
    })
    server.listen({ host, port, backlog: 511 }, () => {
      const { address, port: bound } = server.address() as AddressInfo
      resolve(formatAddress({ host: address, port: bound }))
    })
  })
}
