/** Commands about files and directories: where one is, what is there, and files themselves. */
import { client as nodes } from '../../api/index.js'
import { doorLimits } from '../../base/door-limits.js'
import { ftpLimits } from '../../base/ftp-limits.js'
import { globOf } from '../../base/glob.js'
import { Way } from '../files/answer.js'
import { openFor } from '../files/handler.js'
import { listingOf } from '../files/listing.js'
import { ownAddress } from '../own-address.js'
import { require } from '../tokens.js'
import { FtpError } from './ftp-error.js'
import { directoryOf, factsLine, fileOf, type Listed, listLine, timeText } from './listing.js'
import { above, nameAt, quoted } from './paths.js'
import { asker, type Handler, listingWish, type State } from './state.js'
import { onlySends, textSender, transfer } from './transfer.js'
import type { Uploads } from './uploads.js'

export const fileCommands: Readonly<Record<string, Handler>> = {
  CWD: { argument: 'needed', run: (state, path) => enter(state, path === '..' ? null : path) },
  CDUP: { run: (state) => enter(state, null) },
  PWD: { run: ({ control, directory }) => control.reply(257, quoted(directory)) },
  LIST: { argument: 'may', run: list },
  NLST: { argument: 'may', run: names },
  MLSD: { argument: 'may', run: facts },
  MLST: { argument: 'may', run: factsOfOne },
  SIZE: { argument: 'needed', run: size },
  MDTM: { argument: 'needed', run: modified },
  RETR: { argument: 'needed', run: retrieve },
  STOR: { argument: 'needed', run: store },
  MKD: { argument: 'needed', run: make },
}

function pathName({ directory }: State, path: string): string {
  const name = nameAt(directory, path)
  if (name === null) throw new FtpError(550, 'ERR_FR_NAME: nothing can have this name')
  return name
}

/** Of a file. */
function fileName(state: State, path: string): Buffer {
  const name = pathName(state, path)
  if (name === '') throw new FtpError(550, 'ERR_FR_IS_DIRECTORY: this is a directory')
  return Buffer.from(name, 'latin1')
}

/** Null: the one above. */
async function enter(state: State, path: string | null): Promise<void> {
  const name = path === null ? above(state.directory) : pathName(state, path)
  if (!(await isDirectory(state, name))) throw noDirectory()
  state.directory = name
  await state.control.reply(250, `${quoted(name)} it is`)
}

function mayStore(state: State): boolean {
  return state.world.uploads !== null && asker(state).rights('push')
}

/** A directory is there with its first file. */
async function make(state: State, path: string): Promise<void> {
  uploadsOf(state)
  const name = fileName(state, path).toString('latin1')
  require(asker(state), 'push')
  if ((await fileOf(listingWish(state), name)) !== null)
    throw new FtpError(550, 'ERR_FR_EXISTS: a file has this name')
  await state.control.reply(257, `${quoted(name)} is there with its first file`)
}

function uploadsOf({ world }: State): Uploads {
  if (world.uploads !== null) return world.uploads
  throw new FtpError(550, 'ERR_FR_READ_ONLY: files are only read here')
}

async function store(state: State, path: string): Promise<void> {
  const from = state.restAt
  state.restAt = 0
  const uploads = uploadsOf(state)
  if (from > 0) throw new FtpError(554, 'uploads begin at 0')
  const name = fileName(state, path)
  require(asker(state), 'push', name)
  const upload = await uploads.begin(name)
  try {
    await transfer(state, 'Let it come', (socket, stop) => upload.take(socket, stop))
  } finally {
    await upload.close()
  }
}

function noDirectory(): FtpError {
  return new FtpError(550, 'ERR_FR_NOT_HELD: there is no such directory')
}

/** For who may not see what there is every name is one. */
async function isDirectory(state: State, name: string): Promise<boolean> {
  const wish = listingWish(state)
  if (name === '' || !wish.who.rights('status')) return true
  const bytes = Buffer.from(name, 'latin1')
  const at = ownAddress(wish.node.address)
  const { credentials, signal } = wish
  for await (const { kind } of nodes.list(at, { ...credentials, signal, glob: globOf(bytes) }))
    return kind === 'tree' || kind === 'directory'
  const mayGet = (file: Uint8Array): boolean => wish.who.rights('get', file)
  const bounds = { rows: 1, names: ftpLimits.names }
  const { entries } = await listingOf(at, bytes, { ...credentials, signal }, mayGet, bounds)
  // Names with slashes need no directory, so whoever may store is let into any.
  return entries.length > 0 || (mayStore(state) && (await fileOf(wish, name)) === null)
}

/** What a path means for a listing: the entries of a directory, or the one file. */
async function listed(
  state: State,
  path: string,
  rows?: number,
): Promise<{ entries: readonly Listed[]; isWhole: boolean }> {
  const name = pathName(state, path)
  const wish = listingWish(state)
  return state.world.listings.run(async () => {
    if (name !== '' && wish.who.rights('get', Buffer.from(name, 'latin1'))) {
      const file = await fileOf(wish, name)
      if (file !== null) return { entries: [file], isWhole: true }
    }
    require(wish.who, 'status')
    const directory = await directoryOf(wish, name, rows)
    if (directory.entries.length === 0 && !(await isDirectory(state, name))) throw noDirectory()
    return directory
  })
}

/** Options of `ls` that clients put before a path. */
const withoutOptions = (argument: string): string => argument.replace(/^(?:-\w+(?: +|$))+/, '')

async function list(state: State, argument: string): Promise<void> {
  const found = await listed(state, withoutOptions(argument))
  const now = Date.now()
  await sendLines(state, found, (one) => listLine(one, now))
}

async function names(state: State, argument: string): Promise<void> {
  const path = withoutOptions(argument)
  const before = path === '' || path.endsWith('/') ? path : `${path}/`
  const found = await listed(state, path)
  const [only] = found.entries
  const isFile = found.entries.length === 1 && only?.isDirectory === false
  const isItself = isFile && `/${pathName(state, path)}`.endsWith(`/${only.name}`)
  await sendLines(state, found, ({ name }) => (isItself ? path : `${before}${name}`))
}

async function facts(state: State, path: string): Promise<void> {
  const name = pathName(state, path)
  const wish = listingWish(state)
  if (!(await isDirectory(state, name))) throw new FtpError(501, 'this is no directory')
  require(wish.who, 'status')
  const found = await state.world.listings.run(() => directoryOf(wish, name))
  const how = { mayStore: mayStore(state) }
  await sendLines(state, found, (one) => factsLine(one, state.facts, how))
}

async function sendLines(
  state: State,
  { entries, isWhole }: { readonly entries: readonly Listed[]; readonly isWhole: boolean },
  lineOf: (listed: Listed) => string,
): Promise<void> {
  const text = entries.map((one) => `${lineOf(one)}\r\n`).join('')
  const { leastBytesPerSecond = doorLimits.leastBytesPerSecond } = state.world.demands
  const send = textSender(text, leastBytesPerSecond)
  await transfer(state, 'Here it comes', async (socket, stop) => {
    await send(socket, stop)
    // Who takes a part for the whole would remove what is not in it.
    if (!isWhole) throw new FtpError(451, `There is more than the first ${entries.length}`)
  })
}

async function factsOfOne(state: State, path: string): Promise<void> {
  const name = pathName(state, path)
  const wish = listingWish(state)
  const isGettable = name !== '' && wish.who.rights('get', Buffer.from(name, 'latin1'))
  const file = isGettable ? await fileOf(wish, name) : null
  if (file === null && name !== '') {
    require(wish.who, 'status')
    if (!(await isDirectory(state, name))) throw noDirectory()
  }
  const directory = { name, isDirectory: true, size: null, isGrowing: false, modifiedMs: null }
  const line = factsLine(file ?? directory, state.facts, {
    ...{ name: `/${name}`, mayStore: mayStore(state) },
  })
  await state.control.reply(250, 'Facts', line, 'End')
}

async function size(state: State, path: string): Promise<void> {
  const content = await opened(state, path)
  content.close()
  if (content.size === null) throw new FtpError(550, 'ERR_FR_BUSY: it is still written')
  await state.control.reply(213, String(content.size))
}

async function modified(state: State, path: string): Promise<void> {
  const name = fileName(state, path)
  require(asker(state), 'get', name)
  ;(await opened(state, path)).close()
  const file = await fileOf(listingWish(state), name.toString('latin1'))
  if (file?.modifiedMs == null) throw new FtpError(550, 'ERR_FR_NOT_HELD: it is gone')
  await state.control.reply(213, timeText(file.modifiedMs))
}

function opened(state: State, path: string) {
  const name = fileName(state, path)
  const who = asker(state)
  require(who, 'get', name)
  return openFor(state.world.node, name, who)
}

async function retrieve(state: State, path: string): Promise<void> {
  const from = state.restAt
  state.restAt = 0
  const content = await opened(state, path)
  try {
    const { size } = content
    if (size !== null && from > size) throw new FtpError(554, `ERR_FR_RANGE: it has ${size} bytes`)
    const opening = size === null ? 'It comes while it is written' : `${size - from} bytes come`
    await transfer(state, opening, async (socket, stop) => {
      onlySends(socket, stop)
      const way = new Way(socket, content, stop, state.world.demands)
      if (size !== null) return way.sendAll({ offset: from, length: size - from })
      for (let offset = from; ; ) {
        const length = await way.waitFor(offset)
        if (length === 0) return
        await way.send({ offset, length })
        offset += length
      }
    })
  } finally {
    content.close()
  }
}
