/**
 * The list of authorized peers: who may speak to a node at all, a line each.
 *
 *     FINGERPRINT name [rights]      # comment
 *     cert:NAME [rights]
 *
 * The fingerprint is what `fr id` prints: the id of a node or of a user's clients, 32 hex digits.
 * Names are for people, and for criteria; of the second kind it is the name that a certificate
 * gives its holder. What stands behind a name is not read here.
 *
 * Pure. Every error names its line. Never: a list of which a part counts.
 */
import { isCertificateName } from './certificate-names.js'
import { FrError } from './errors.js'
import { peerLimits } from './peer-limits.js'

export interface AuthorizedPeer {
  /** Its node id: 32 hex digits; or `cert:NAME`. */
  readonly id: string
  readonly name: string
  /** What stands behind the name, as it is; null: nothing. */
  readonly rightsText: string | null
  /** In the file, from 1 on. */
  readonly line: number
  /** Where `rightsText` begins in its line, from 1 on; 0: there is none. */
  readonly column: number
}

export class AuthorizedPeers {
  readonly #byId: ReadonlyMap<string, AuthorizedPeer>
  readonly #hasCertified: boolean

  private constructor(byId: ReadonlyMap<string, AuthorizedPeer>) {
    this.#byId = byId
    this.#hasCertified = [...byId.values()].some(isCertified)
  }

  /** Throws ERR_FR_PEERS, and what `check` throws of a peer, with the line before it. */
  static parse(text: string, check: (peer: AuthorizedPeer) => void = () => {}): AuthorizedPeers {
    if (text.length > peerLimits.fileBytes)
      throw peersError(`more than ${peerLimits.fileBytes} bytes`)
    const byId = new Map<string, AuthorizedPeer>()
    const names = new Map<string, number>()
    for (const [at, line] of text.split(/\r\n|\n|\r/).entries()) {
      const peer = peerOf(line, at + 1)
      if (peer === null) continue
      const before = byId.get(peer.id)?.line
      if (before !== undefined)
        throw wrong(
          peer.line,
          `this ${isCertified(peer) ? 'name' : 'fingerprint'} is in line ${before} already`,
        )
      const named = names.get(peer.name)
      if (named !== undefined) throw wrong(peer.line, `this name is in line ${named} already`)
      if (byId.size === peerLimits.peers)
        throw wrong(peer.line, `more than ${peerLimits.peers} peers`)
      checked(peer, check)
      byId.set(peer.id, peer)
      names.set(peer.name, peer.line)
    }
    return new AuthorizedPeers(byId)
  }

  get all(): readonly AuthorizedPeer[] {
    return [...this.#byId.values()]
  }

  find(id: string): AuthorizedPeer | undefined {
    return this.#byId.get(id)
  }

  /** Some are listed by the names of their certificates. */
  get hasCertified(): boolean {
    return this.#hasCertified
  }

  /** Whose certificate gives it this name. */
  certified(name: string): AuthorizedPeer | undefined {
    return this.#byId.get(`${byCertificate}${name}`)
  }
}

const byCertificate = 'cert:'

/** It is listed by the name of its certificate. */
export function isCertified({ id }: Pick<AuthorizedPeer, 'id'>): boolean {
  return id.startsWith(byCertificate)
}

/** Null: the line has nothing but space and comment. */
function peerOf(line: string, number: number): AuthorizedPeer | null {
  const bare = line.replace(/(^|\s)#.*$/, '').trimEnd()
  if (bare.trimStart().startsWith(byCertificate)) return certifiedOf(bare, number)
  const found = /^\s*(\S+)(?:\s+(\S+))?(?:(\s+)(.*))?$/.exec(bare)
  if (found === null) return null
  const [, id = '', name, , rights] = found
  if (!/^[0-9a-f]{32}$/.test(id))
    throw wrong(number, 'the fingerprint is not 32 hex digits in lower case, as fr id prints it')
  if (name === undefined) throw wrong(number, 'the name is missing')
  if (name.length > peerLimits.nameChars || !/^[A-Za-z0-9][\w.@:-]*$/.test(name))
    throw wrong(
      number,
      'a name has letters, digits and . _ @ : - and begins with one of the former',
    )
  return { id, name, ...rightsOf(bare, rights, number) }
}

function certifiedOf(bare: string, number: number): AuthorizedPeer {
  const [, id = '', rights] = /^\s*(\S+)(?:\s+(.*))?$/.exec(bare) ?? []
  const name = id.slice(byCertificate.length)
  if (!isCertificateName(name))
    throw wrong(number, 'behind cert: comes the name of a certificate, as fr ca issue was given it')
  return { id, name, ...rightsOf(bare, rights, number) }
}

function rightsOf(
  bare: string,
  rights: string | undefined,
  line: number,
): Pick<AuthorizedPeer, 'rightsText' | 'line' | 'column'> {
  if (rights === undefined) return { rightsText: null, line, column: 0 }
  if (rights.length > peerLimits.rightsChars)
    throw wrong(line, `rights of more than ${peerLimits.rightsChars} characters`)
  return { rightsText: rights, line, column: bare.length - rights.length + 1 }
}

function checked(peer: AuthorizedPeer, check: (peer: AuthorizedPeer) => void): void {
  try {
    check(peer)
  } catch (error) {
    throw wrong(peer.line, (error as Error).message)
  }
}

function wrong(line: number, what: string): FrError {
  return peersError(`line ${line}: ${what}`)
}

function peersError(text: string): FrError {
  return new FrError('ERR_FR_PEERS', text)
}
