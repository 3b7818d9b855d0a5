/**
 * Both sides of the opening of a connection that a gateway joins to another (protocol/bridging.ts).
 * After `go` the gateway reads nothing of it any more: what comes is for the node behind it.
 */
import type { Socket } from 'node:net'
import { FrError, type FrErrorCode } from '../base/errors.js'
import * as bridging from '../protocol/bridging.js'
import { answerBytes, decodeGo, encodeGo, encodeRefusal } from '../protocol/ticket.js'
import {
  closeAfter,
  closeWithError,
  HelloStream,
  ignore,
  onlyOnce,
  stopReading,
  writeLast,
} from './hello-stream.js'

/** The dialler has shown a bridge ticket and waits. Call exactly one of `go` and `refuse`. */
export interface Crossing {
  readonly channel: 'crossing'
  /** 64 hex digits; nothing is known of it yet. */
  readonly ticket: string
  /** Sends `go`, and hands the socket over: not read any more, nothing buffered. */
  go(): Promise<Socket>
  refuse(code: FrErrorCode, text: string): void
}

/** Resolves once the gateway has connected this side to the node. Rejects with FrError. */
export async function crossBridge(socket: Socket, ticket: string): Promise<void> {
  const stream = new HelloStream(socket, answerBytes)
  try {
    await stream.write(bridging.encodeBridgeTicket(ticket))
    decodeGo(await stream.read())
    // Whoever is dialled says nothing first.
    if (stream.stop().length > 0)
      throw new FrError('ERR_FR_PROTOCOL', 'bytes came over a bridge before any were sent')
  } catch (error) {
    stream.release()
    socket.on('error', ignore).destroy()
    throw error
  }
}

/** Rejects with FrError, after telling the peer the reason where that makes sense. */
export async function takeCrossing(socket: Socket): Promise<Crossing> {
  const stream = new HelloStream(socket, bridging.bridgeTicketBytes)
  try {
    const ticket = bridging.decodeBridgeTicket(await stream.read())
    await stopReading(socket)
    if (stream.stop().length > 0 || socket.readableLength > 0)
      throw new FrError('ERR_FR_PROTOCOL', 'the dialler of a bridge did not wait for go')
    socket.on('error', ignore)
    const decide = onlyOnce()
    return {
      channel: 'crossing',
      ticket,
      async go() {
        decide()
        await writeLast(socket, encodeGo())
        return socket
      },
      refuse(code, text) {
        decide()
        closeWithError(socket, encodeRefusal(code, text))
      },
    }
  } catch (error) {
    stream.release()
    closeAfter(socket, error, encodeRefusal)
    throw error
  }
}
