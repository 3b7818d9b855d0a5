/**
 * The list of tokens of a door (`--http-tokens`), a line each:
 *
 *     SHA256 name [rights]      # comment
 *     * [rights]
 *
 * The first has 64 hex digits, as `fr token | sha256sum` prints it without the newline; the name is
 * for logs; rights are written as behind the name of a peer (`--authorize`), and none written are
 * all. `*` is whoever has no token: without that line nobody may do anything without one.
 *
 * The file is looked at twice a second and read again when it has changed; a list that cannot be
 * used changes nothing. Never: a list that others than its owner, or root, may change.
 */
import type { LogLine } from '../api/types.js'
import { doorLimits } from '../base/door-limits.js'
import { FrError } from '../base/errors.js'
import { peerLimits } from '../base/peer-limits.js'
import { Rights } from '../base/rights.js'
import { ownList, stampOf } from '../store/files/own-list.js'
import type { Who } from './mount.js'
import { type Tokens, whoMay } from './tokens.js'

interface Table {
  readonly byHash: ReadonlyMap<string, Who>
  readonly nobody: Who
}

export class TokensFile implements Tokens {
  readonly #path: string
  readonly #log: (line: LogLine) => void
  readonly #timer: NodeJS.Timeout
  #table: Table
  #seen: string
  #said = ''
  #reading: Promise<void> = Promise.resolve()

  private constructor(path: string, log: (line: LogLine) => void, table: Table, seen: string) {
    this.#path = path
    this.#log = log
    this.#table = table
    this.#seen = seen
    this.#timer = setInterval(() => void this.#look(), doorLimits.tokensLookMs)
    this.#timer.unref()
  }

  /** Rejects with ERR_FR_PEERS. */
  static async open(path: string, log: (line: LogLine) => void): Promise<TokensFile> {
    const { table, seen } = await read(path)
    return new TokensFile(path, log, table, seen)
  }

  find(sha256: string): Who | undefined {
    return this.#table.byHash.get(sha256)
  }

  get nobody(): Who {
    return this.#table.nobody
  }

  /** Reads the file again. Rejects with ERR_FR_PEERS, and the list stays as it was. */
  reload(): Promise<void> {
    const reading = this.#reading.then(() => this.#read())
    this.#reading = reading.catch(() => {})
    return reading
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    if ((await stampOf(this.#path)) !== this.#seen) await this.reload().catch(() => {})
  }

  async #read(): Promise<void> {
    try {
      const { table, seen } = await read(this.#path)
      if (seen !== this.#seen) {
        const fields = { path: this.#path, tokens: table.byHash.size }
        this.#log({ level: 'info', event: 'tokens-read', fields })
      }
      this.#table = table
      this.#seen = seen
      this.#said = ''
    } catch (error) {
      const text = (error as Error).message
      if (text !== this.#said)
        this.#log({ level: 'error', event: 'tokens-refused', fields: { text } })
      this.#said = text
      throw error
    }
  }
}

async function read(path: string): Promise<{ readonly table: Table; readonly seen: string }> {
  try {
    const { text, seen } = await ownList(path, doorLimits.tokensFileBytes)
    return { table: tableOf(text), seen }
  } catch (error) {
    const text = `tokens, ${path}: ${(error as Error).message}`
    throw new FrError('ERR_FR_PEERS', text, { cause: error, path })
  }
}

/** Throws an error that names the line. */
export function tableOf(text: string): Table {
  const byHash = new Map<string, Who>()
  const names = new Set<string>()
  let nobody: Who | undefined
  for (const [at, line] of text.split(/\r\n|\n|\r/).entries()) {
    const bare = line.replace(/(^|\s)#.*$/, '').trim()
    if (bare === '') continue
    const wrong = (what: string): Error => new Error(`line ${at + 1}: ${what}`)
    const [, id = '', rest = ''] = /^(\S+)\s*(.*)$/.exec(bare) ?? []
    if (id === '*') {
      if (nobody !== undefined) throw wrong('whoever has no token is there already')
      if (rest === '') throw wrong('behind * come the rights of whoever has no token')
      nobody = whoMay(rightsOf(rest, wrong), null)
      continue
    }
    const [, name = '', rights = ''] = /^(\S*)\s*(.*)$/.exec(rest) ?? []
    if (!/^[0-9a-f]{64}$/.test(id)) throw wrong('the SHA-256 of a token has 64 hex digits')
    if (!/^[A-Za-z0-9][\w.@:-]{0,63}$/.test(name))
      throw wrong('a name has up to 64 letters, digits and . _ @ : - and begins with the former')
    if (byHash.has(id)) throw wrong('this token is there already')
    if (names.has(name)) throw wrong('this name is there already')
    if (byHash.size === doorLimits.tokens) throw wrong(`more than ${doorLimits.tokens} tokens`)
    byHash.set(id, whoMay(rightsOf(rights, wrong), name))
    names.add(name)
  }
  return { byHash, nobody: nobody ?? whoMay(Rights.parse('none'), null) }
}

function rightsOf(text: string, wrong: (what: string) => Error): Rights {
  if (text.length > peerLimits.rightsChars)
    throw wrong(`rights of more than ${peerLimits.rightsChars} characters`)
  try {
    return Rights.parse(text === '' ? null : text)
  } catch (error) {
    throw wrong((error as Error).message)
  }
}
