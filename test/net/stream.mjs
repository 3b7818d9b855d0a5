/**
 * The smallest sender and receiver there can be, to see what a link of the lab carries.
 *
 *     node stream.mjs sink PORT             takes one connection, prints {"bytes"}
 *     node stream.mjs send HOST PORT BYTES
 */
import { connect, createServer } from 'node:net'

const chunkBytes = 256 * 1024

function sink(port) {
  const server = createServer((socket) => {
    let bytes = 0
    socket.on('data', (chunk) => {
      bytes += chunk.length
    })
    socket.on('end', () => {
      process.stdout.write(`${JSON.stringify({ bytes })}\n`)
      socket.end()
      server.close()
    })
  })
  server.listen(port, () => process.stdout.write('{"event":"listening"}\n'))
}

function send(host, port, bytes) {
  const chunk = Buffer.alloc(chunkBytes, 1)
  const socket = connect(port, host)
  let left = bytes
  const fill = () => {
    while (left > 0) {
      const size = Math.min(left, chunkBytes)
      left -= size
      if (!socket.write(chunk.subarray(0, size))) return
    }
    socket.end()
  }
  socket.on('connect', fill)
  socket.on('drain', fill)
  socket.resume()
}

const [verb, ...rest] = process.argv.slice(2)
if (verb === 'sink') sink(Number(rest[0]))
else if (verb === 'send') send(rest[0], Number(rest[1]), Number(rest[2]))
else {
  process.stderr.write('usage: node stream.mjs sink PORT | send HOST PORT BYTES\n')
  process.exitCode = 2
}
