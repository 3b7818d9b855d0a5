/**
 * A torrent of a file or a directory and a tracker, to measure BitTorrent peers. `node torrent.mjs
 * PORT` is the tracker; it tells every peer about all others and keeps its state in memory for one
 * run.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'

const pieceBytes = 256 * 1024
const maxPeers = 256

/** Bencodes numbers, byte strings, lists, and objects whose keys are already in order. */
function bencode(value) {
  if (typeof value === 'number') return Buffer.from(`i${value}e`)
  if (typeof value === 'string' || Buffer.isBuffer(value)) {
    const bytes = Buffer.from(value)
    return Buffer.concat([Buffer.from(`${bytes.length}:`), bytes])
  }
  if (Array.isArray(value))
    return Buffer.concat([Buffer.from('l'), ...value.map(bencode), Buffer.from('e')])
  const entries = Object.entries(value).flatMap(([key, each]) => [bencode(key), bencode(each)])
  return Buffer.concat([Buffer.from('d'), ...entries, Buffer.from('e')])
}

/** `source`: of a directory all files beneath it, and nothing else. */
export function makeTorrent(source, announce) {
  const isDirectory = statSync(source).isDirectory()
  const names = isDirectory ? filesBeneath(source) : ['']
  const files = names.map((name) => {
    const { size } = statSync(path.join(source, name))
    return { length: size, path: name.split(path.sep) }
  })
  const pieces = piecesOf(names.map((name) => path.join(source, name)))
  const about = isDirectory ? { files } : { length: files[0].length }
  const info = { ...about, name: path.basename(source), 'piece length': pieceBytes, pieces }
  return bencode({ announce, info })
}

function filesBeneath(directory) {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map(({ parentPath, name }) => path.relative(directory, path.join(parentPath, name)))
}

/** SHA-1 of each piece of all files, one behind the other. */
function piecesOf(files) {
  const piece = Buffer.allocUnsafe(pieceBytes)
  const pieces = []
  let filled = 0
  const end = () => {
    pieces.push(createHash('sha1').update(piece.subarray(0, filled)).digest())
    filled = 0
  }
  for (const file of files) {
    const fd = openSync(file)
    for (;;) {
      const read = readSync(fd, piece, filled, pieceBytes - filled, null)
      if (read === 0) break
      filled += read
      if (filled === pieceBytes) end()
    }
    closeSync(fd)
  }
  if (filled > 0) end()
  return Buffer.concat(pieces)
}

function compact(address, port) {
  const bytes = address.replace('::ffff:', '').split('.').map(Number)
  return Buffer.from([...bytes, port >> 8, port & 255])
}

function serveTracker(port) {
  const known = new Map()
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url, 'http://tracker')
    const peer = compact(request.socket.remoteAddress, Number(searchParams.get('port')))
    if (known.size < maxPeers) known.set(peer.toString('hex'), peer)
    const others = [...known.values()].filter((each) => !each.equals(peer))
    response.end(bencode({ interval: 1, 'min interval': 1, peers: Buffer.concat(others) }))
  })
  server.listen(port)
}

if (process.argv[1] === import.meta.filename) serveTracker(Number(process.argv[2]))
