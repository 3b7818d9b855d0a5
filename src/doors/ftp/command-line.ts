/**
 * What a client of FTP sends: commands, a line each (RFC 959, section 5.3; RFC 2640 for names).
 * Pure, and nothing that was received is trusted.
 *
 * Bytes stand in strings here, a character a byte (latin1): names are bytes, and what is no UTF-8
 * passes unchanged.
 */
import { ftpLimits } from '../../base/ftp-limits.js'

export interface Command {
  /** Three or four letters, in upper case. */
  readonly verb: string
  /** Behind the space; null: there is none. */
  readonly argument: string | null
}

/** Why a line is no command. */
export interface Fault {
  readonly fault: string
  /** What follows cannot be told from it: the connection ends. */
  readonly isFatal: boolean
}

const lf = 0x0a

/** Cuts what comes into commands. Holds what was pushed until it is taken. */
export class CommandLines {
  #rest: Buffer = Buffer.alloc(0)

  /** Bytes that are held. */
  get bytes(): number {
    return this.#rest.length
  }

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
  }

  /** The next, which stays; null: it is not there yet. */
  peek(): Command | Fault | null {
    const end = this.#end()
    if (end === -1) return null
    return end === null ? tooLong : parseLine(this.#rest.subarray(0, end).toString('latin1'))
  }

  /** Takes it. */
  take(): Command | Fault | null {
    const found = this.peek()
    const end = this.#end()
    if (end !== null && end !== -1) this.#rest = this.#rest.subarray(end + 1)
    return found
  }

  /** Where the line ends; -1: not yet; null: too late. */
  #end(): number | null {
    const end = this.#rest.subarray(0, ftpLimits.lineBytes).indexOf(lf)
    return end === -1 && this.#rest.length >= ftpLimits.lineBytes ? null : end
  }
}

const tooLong: Fault = {
  fault: `a command has at most ${ftpLimits.lineBytes} bytes`,
  isFatal: true,
}

const unfit = /[\0\r\xff]/
/** What a client of Telnet puts before ABOR: Interrupt Process, and Data Mark. */
const telnet = /^(?:\xff[\xf2\xf4]?)+/

/** Without its LF. */
export function parseLine(line: string): Command | Fault {
  const text = line.replace(/\r$/, '').replace(telnet, '')
  if (unfit.test(text)) return { fault: 'a command has no CR, NUL or IAC in it', isFatal: false }
  const [, verb, argument] = /^([A-Za-z]{3,4})(?: (.*))?$/s.exec(text) ?? []
  if (verb === undefined) return { fault: 'this is no command', isFatal: false }
  return { verb: verb.toUpperCase(), argument: argument === undefined ? null : argument }
}

export function isFault(line: Command | Fault): line is Fault {
  return 'fault' in line
}

/** Whether a name can be told in a line, and asked for in one. */
export function isTellable(name: string): boolean {
  return !unfit.test(name) && !name.includes('\n')
}
