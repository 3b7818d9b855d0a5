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
 * The file is looked at twice a second (store/files/watched-list.ts). Never: a list that others
 * than its owner, or root, may change.
 */
import type { LogLine } from '../api/types.js'
import { doorLimits } from '../base/door-limits.js'
import { peerLimits } from '../base/peer-limits.js'
import { Rights } from '../base/rights.js'
import { WatchedList } from '../store/files/watched-list.js'
import type { Who } from './mount.js'
import { type Tokens, whoMay } from './tokens.js'

export type TokensFile = Required<Tokens>

interface Table {
  readonly byHash: ReadonlyMap<string, Who>
  readonly nobody: Who
}

/** Tokens as the list says now. Rejects with ERR_FR_PEERS. */
export async function tokensFile(path: string, log: (line: LogLine) => void): Promise<TokensFile> {
  const { tokensFileBytes: bytesMax, tokensLookMs: lookMs } = doorLimits
  const list = await WatchedList.open(
    { path, of: 'tokens', bytesMax, lookMs, parse: tableOf },
    {
      taken: ({ byHash }, isOther) => {
        const fields = { path, tokens: byHash.size }
        if (isOther) log({ level: 'info', event: 'tokens-read', fields })
      },
      refused: ({ message: text }) =>
        log({ level: 'error', event: 'tokens-refused', fields: { text } }),
    },
  )
  return {
    find: (sha256) => list.value.byHash.get(sha256),
    get nobody() {
      return list.value.nobody
    },
    reload: () => list.reload(),
    close: () => list.close(),
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
