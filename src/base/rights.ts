/**
 * Rights: what a peer may ask of a node, as a line of the list of authorized peers says behind the
 * name (`fr node --authorize`), separated by commas:
 *
 *     push models/**, get **, status, attr site=eu, attr tier=edge
 *
 * `push`, `get` and `rm` may have a pattern of names (glob.ts) behind them, and mean all names
 * without one. `admin` is all rights, `none` is none; a line without rights has all of them, as
 * whoever holds the key where there is no list. `attr` is no right: it says what is true of the
 * peer, for criteria, whatever it says of itself.
 *
 * Pure. What no right covers is refused.
 */
import { type Attributes, attributesFault } from './attributes.js'
import { textOf, utf8 } from './bytes.js'
import { FrError } from './errors.js'
import { Glob, globFault } from './glob.js'
import { limits } from './limits.js'
import { versionedName } from './versions.js'

/** With what each allows, for the documentation and for refusals. */
export const rightNames = {
  push: 'send a file or tree under a name, give it an earlier version, switch it with others',
  get: 'fetch, read again or have copied what has a name',
  status: 'see transfers, names, versions, disks and what becomes of copies',
  add: 'add nodes to a push that runs',
  limit: 'change limits of rates',
  rm: 'remove what has a name',
  'be-origin': 'have this node send to others what it holds',
  relay: 'be a member of transfers and decisions: pull, take over, have connections passed on',
  admin: 'all of it, change attributes of the node, and decide what is in doubt',
} as const

export type RightName = keyof typeof rightNames

/** What a request needs. */
export interface Wanted {
  readonly right: RightName
  /** The name that it is about; null: any; absent: the right says nothing of names. */
  readonly name?: Uint8Array | null
  /** `name` is a pattern: only who may do it to all that it could mean may. */
  readonly isGlob?: boolean
  /** Another right that does as well. */
  readonly or?: RightName
}

const withNames: readonly RightName[] = ['push', 'get', 'rm']
const all = utf8('**')

export class Rights {
  /** What is true of the peer; null: the list says nothing. */
  readonly attributes: Attributes | null
  readonly #grants: readonly Grant[]

  private constructor(grants: readonly Grant[], attributes: Attributes | null) {
    this.#grants = grants
    this.attributes = attributes
  }

  static readonly everything = new Rights([{ right: 'admin', glob: null }], null)

  /** Throws ERR_FR_CRITERIA that names the word. */
  static parse(text: string | null): Rights {
    const items = (text ?? '').split(',').map((item) => item.trim())
    if (text === null || items.every((item) => item === '')) return Rights.everything
    if (items.length > limits.rightsPerPeer) throw fault(`more than ${limits.rightsPerPeer} rights`)
    const said = items.filter((item) => !/^attr\s/.test(item))
    const attributes = attributesOf(items.filter((item) => /^attr\s/.test(item)))
    if (said.length === 0) return new Rights(Rights.everything.#grants, attributes)
    if (!said.includes('none')) return new Rights(said.map(grantOf), attributes)
    if (said.length > 1) throw fault("'none' goes with no other right")
    return new Rights([], attributes)
  }

  /** The right that is missing, as text; null: what is wanted is allowed. */
  missing(wanted: Wanted): string | null {
    const { right, or } = wanted
    const isAllowed = this.#grants.some((grant) => isCovered(grant, wanted))
    if (isAllowed) return null
    const { name } = wanted
    const of = name === undefined ? '' : ` ${name === null ? '**' : (textOf(name) ?? '(bytes)')}`
    return or === undefined ? `${right}${of}` : `${right}${of} or ${or}`
  }
}

interface Grant {
  readonly right: RightName
  /** Null: all names. */
  readonly glob: Uint8Array | null
}

function isCovered({ right, glob }: Grant, wanted: Wanted): boolean {
  if (right === 'admin' || right === wanted.or) return true
  if (right !== wanted.right) return false
  const { name, isGlob } = wanted
  if (name === undefined || glob === null) return true
  if (name === null) return false
  if (isGlob) return Buffer.compare(glob, name) === 0
  const matcher = new Glob(glob)
  const plain = versionedName(name)?.name
  return matcher.matches(name) || (plain !== undefined && matcher.matches(plain))
}

function grantOf(item: string): Grant {
  const [, word = '', rest = ''] = /^(\S*)\s*(.*)$/.exec(item) ?? []
  if (!Object.hasOwn(rightNames, word)) {
    const known = [...Object.keys(rightNames), 'none', 'attr KEY=VALUE'].join(', ')
    throw fault(`${JSON.stringify(item)} is no right: ${known}`)
  }
  const right = word as RightName
  if (rest === '') return { right, glob: null }
  if (!withNames.includes(right)) throw fault(`'${right}' takes no names`)
  const glob = utf8(rest)
  const wrong = globFault(glob)
  if (wrong !== null) throw fault(`the pattern of '${right}' cannot be used: ${wrong}`)
  return { right, glob: Buffer.compare(glob, all) === 0 ? null : glob }
}

/** Null: there are none. */
function attributesOf(items: readonly string[]): Attributes | null {
  if (items.length === 0) return null
  const attributes: Record<string, string> = {}
  for (const item of items) {
    const [key = '', ...value] = item.replace(/^attr\s+/, '').split('=')
    if (Object.hasOwn(attributes, key)) throw fault(`attribute ${key} is given twice`)
    attributes[key] = value.join('=')
  }
  const wrong = attributesFault(attributes)
  if (wrong !== null) throw fault(`attributes cannot be taken: ${wrong}`)
  return attributes
}

function fault(text: string): FrError {
  return new FrError('ERR_FR_CRITERIA', text)
}
