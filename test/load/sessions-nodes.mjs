/**
 * Receiver sessions, many in this process: prints their addresses in JSON and serves until its
 * standard input ends. Arguments: key, transfer, how many.
 */
import { createServer } from 'node:net'
import { OfferReader } from '../../dist/agent/offers.js'
import { freshSigner, nodePrimitives, selfOf } from '../../dist/net/crypto.js'
import { linkOver } from '../../dist/net/dial.js'
import { accept } from '../../dist/net/handshake.js'
import { parseKey } from '../../dist/net/keys.js'
import { Resolver } from '../../dist/net/resolver.js'
import { Contents } from '../../dist/session/driver/contents.js'
import { ReceiverSession } from '../../dist/session/driver/receiver.js'
import { processClock } from '../../dist/session/sockets.js'
import { block, bytes, content, LinksOnly, PretendedEngine } from './pretended-feeds.mjs'

const [keyText, transfer, count] = process.argv.slice(2)
const keys = [parseKey(keyText)]
const resolver = new Resolver()

async function startSession() {
  const self = selfOf(freshSigner())
  const dialler = { keys, self, connectMs: 5_000, resolver }
  const engine = new PretendedEngine(true)
  let session
  const began = (established) => {
    const reader = new OfferReader()
    const link = linkOver(established, {
      onFrame: (frame) => {
        if (session !== undefined) return session.onFrame(frame)
        const complete = reader.take(frame)
        if (complete === undefined) return
        const { silenceMs } = complete.offer
        const originId = established.peer.nodeId
        const part = { transfer, from: () => session.machine.neighbours.you }
        session = new ReceiverSession(
          {
            bytes,
            blockBytes: block,
            digestBytes: 32,
            originId,
            silenceMs,
            contents: new Contents([content]),
          },
          {
            clock: processClock,
            net: new LinksOnly(dialler, engine, part),
            engine,
            files: {
              prepare: () =>
                setImmediate(() => {
                  session.opened(0)
                  session.post({ type: 'claimed' }, { type: 'prepared' })
                }),
              hash: () => {},
              copyIn: () => {},
              sum: () => '',
              publish: () => {},
            },
            link,
            primitives: nodePrimitives,
            misannounced: () => {},
            log: (level, event, fields) => {
              if (level === 'warn') console.error(event, JSON.stringify(fields))
            },
            introduced: () => {},
            ended: ({ failure }) => {
              if (failure !== null) console.error('ended', failure.code, failure.text)
              void link.close()
            },
            crashed: (error) => console.error(error),
          },
        )
        session.start()
      },
      onClose: (code, text) => session?.post({ type: 'unlinked', member: 0xffff_ffff, code, text }),
    })
  }
  const serve = async (socket) => {
    const admitted = await accept(socket, { keys, self })
    if (admitted.channel === 'control') return began(await admitted.go())
    const { from, to, peer } = admitted
    if (session?.expectsPull(from, peer.nodeId, to) !== true)
      return admitted.refuse('ERR_FR_NO_TRANSFER', 'not here')
    session.addPull(from, await admitted.go())
  }
  const server = createServer({ noDelay: true }, (socket) => {
    // A handshake that took too long is begun again by the coordinator.
    serve(socket).catch((error) => console.error(error.code))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', 511, resolve))
  return `127.0.0.1:${server.address().port}`
}

const addresses = []
for (let i = 0; i < Number(count); i++) addresses.push(await startSession())
console.log(JSON.stringify(addresses))
process.stdin.resume().on('end', () => process.exit(0))
