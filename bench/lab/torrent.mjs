/**
 * A torrent of one file and a tracker, to measure BitTorrent peers. `node torrent.mjs PORT` is the
 * tracker; it tells every peer about all others and keeps its state in memory for one run.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'

const pieceBytes = 256 * 1024
const maxPeers = 256

/** Bencodes numbers, byte strings, and objects whose keys are already in order. */
function bencode(value) {
  if (typeof value === 'number') return Buffer.from(`i${value}e`)
  if (typeof value === 'string' || Buffer.isBuffer(value)) {
    const bytes = Buffer.from(value)
    return Buffer.concat([Buffer.from(`${bytes.length}:`), bytes])
  }
  const entries = Object.entries(value).flatMap(([key, each]) => [bencode(key), bencode(each)])
  return Buffer.concat([Buffer.from('d'), ...entries, Buffer.from('e')])
}

export function makeTorrent(file, announce) {
  const { size } = statSync(file)
  const fd = openSync(file)
  const piece = Buffer.allocUnsafe(pieceBytes)
  const pieces = []
  for (let at = 0; at < size; at += pieceBytes) {
    const length = readSync(fd, piece, 0, Math.min(pieceBytes, size - at), at)
    pieces.push(createHash('sha1').update(piece.subarray(0, length)).digest())
  }
  closeSync(fd)
  const info = {
    length: size,
    name: path.basename(file),
    'piece length': pieceBytes,
    pieces: Buffer.concat(pieces),
  }
  return bencode({ announce, info })
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
