/** A client of FTP that sends lines as they are, and reads answers as they come. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Reply {
  readonly code: number
  readonly text: string
}

export class RawFtp {
  readonly socket: Socket
  #text = ''
  #isOver = false
  #moved: () => void = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    this.hear(socket)
  }

  /** Without a login: the greeting is read. */
  static async open(address: string, localAddress?: string): Promise<RawFtp> {
    const { hostname: host, port } = new URL(`ftp://${address}`)
    const socket = connect({ host, port: Number(port), ...(localAddress && { localAddress }) })
    const client = new RawFtp(socket)
    await client.reply()
    return client
  }

  static async login(address: string, token?: string): Promise<RawFtp> {
    const client = await RawFtp.open(address)
    await client.ask(`USER ${token === undefined ? 'anonymous' : 'me'}`)
    const { code, text } = await client.ask(`PASS ${token ?? 'me@here'}`)
    if (code !== 230) throw new Error(`no login: ${code} ${text}`)
    return client
  }

  hear(socket: Socket): void {
    const over = (): void => {
      this.#isOver = true
      this.#moved()
    }
    socket.on('data', (chunk) => {
      this.#text += chunk.toString('latin1')
      this.#moved()
    })
    socket.on('error', over)
    socket.on('close', over)
  }

  /** The next; code 0: the connection is over. */
  async reply(): Promise<Reply> {
    for (;;) {
      const [all, code, text] =
        /^(\d{3}) (.*)\r\n/.exec(this.#text) ??
        /^(\d{3})-([\s\S]*?\r\n)\1 .*\r\n/.exec(this.#text) ??
        []
      if (all !== undefined) {
        this.#text = this.#text.slice(all.length)
        return { code: Number(code), text: text ?? '' }
      }
      if (this.#isOver) return { code: 0, text: this.#text }
      await new Promise<void>((resolve) => {
        this.#moved = resolve
      })
    }
  }

  send(...lines: readonly string[]): void {
    this.socket.write(lines.map((line) => `${line}\r\n`).join(''), 'latin1')
  }

  ask(line: string): Promise<Reply> {
    this.send(line)
    return this.reply()
  }

  async code(line: string): Promise<number> {
    return (await this.ask(line)).code
  }

  /** A data connection by EPSV, from this address of the client. */
  async data(localAddress?: string): Promise<Socket> {
    const port = await this.port()
    const host = this.socket.remoteAddress as string
    const socket = connect({ host, port, ...(localAddress && { localAddress }) })
    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }

  async port(): Promise<number> {
    const { text } = await this.ask('EPSV')
    return Number(/\(\|\|\|(\d+)\|\)/.exec(text)?.[1])
  }

  /** What a command sends on a data connection, and its last answer. */
  async transfer(line: string, before: readonly string[] = []): Promise<[Buffer, Reply]> {
    const socket = await this.data()
    for (const one of before) await this.ask(one)
    const first = await this.ask(line)
    const bytes = wholeOf(socket)
    if (first.code !== 150) {
      socket.destroy()
      return [Buffer.alloc(0), first]
    }
    return [await bytes, await this.reply()]
  }

  close(): void {
    this.socket.destroy()
  }
}

/** All that comes, until the connection is over. */
export async function wholeOf(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(chunks)
}
